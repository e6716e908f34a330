# ls, cp, mv, ln, chmod, touch, stat, sort, split, dd, sha256sum, find, xargs, ...
mkdir -p a/b; seq 1000 >a/numbers; ln -s numbers a/link; ln a/numbers a/hard
cp -a a copy; mv copy/link copy/moved; chmod 640 a/numbers; touch -d yesterday a/old
ls -laR . >listing; stat a/numbers >/dev/null; df . >/dev/null; du -s a >/dev/null
[[ $(sort -rn a/link | head -n 1) == 1000 ]]
split -l 100 a/numbers part; [[ $(cat part* | sha256sum) == "$(sha256sum <a/numbers)" ]]
dd if=/dev/zero of=zeros bs=4k count=16 conv=fsync status=none; truncate -s 1M zeros
[[ $(find . -name 'part*' -print0 | xargs -0 -n 1 -P 2 basename | wc -l) == 10 ]]
mkfifo pipe; echo through >pipe & [[ $(cat pipe) == through ]]; wait
[[ $(tac a/numbers | paste -sd+ | awk -F+ '{print NF}') == 1000 ]]
mktemp >/dev/null; mktemp -d >/dev/null; id >/dev/null; date >/dev/null; uname -a >/dev/null
nproc >/dev/null; env >/dev/null; tee copy2 <a/numbers | cmp - a/numbers; shuf -n 5 a/numbers >/dev/null
nice -n 5 true; nohup true 2>/dev/null; stdbuf -oL true; rm -rf a copy
