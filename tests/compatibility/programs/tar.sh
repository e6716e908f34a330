# With modes, links, a pipe, and both common compressions.
mkdir -p tree/d; seq 10000 >tree/d/f; ln -s d/f tree/s; ln tree/d/f tree/h; chmod 700 tree/d; chmod 400 tree/h
tar -czf tree.tgz tree; tar -tzf tree.tgz | grep -q tree/d/f
mkdir out; tar -C out -xpzf tree.tgz; diff -r tree out/tree; [[ $(stat -c %a out/tree/d) == 700 ]]
tar -c tree | tar -C out -x
cp tree/d/f f; gzip -k f; gunzip -c f.gz | cmp - f
if type -P xz >/dev/null; then xz -k f; xz -dc f.xz | cmp - f; fi
