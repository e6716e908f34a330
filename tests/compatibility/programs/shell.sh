# Pipelines, jobs, traps, here-documents, arrays, process groups, subshells.
set -o pipefail
declare -A ages=([one]=1 [two]=2); [[ ${ages[two]} == 2 ]]
total=0; while read -r n; do total=$((total + n)); done < <(seq 10); [[ $total == 55 ]]
trapped=no; trap 'trapped=yes' USR1; kill -USR1 $$; [[ $trapped == yes ]]; trap - USR1
sleep 100 & kill $!; code=0; wait $! || code=$?; [[ $code == 143 ]]
(exit 3) || [[ $? == 3 ]]
coproc cat; echo hello >&"${COPROC[1]}"; read -r line <&"${COPROC[0]}"; [[ $line == hello ]]; kill "$COPROC_PID"
ulimit -c 0; ulimit -n 64; [[ $(ulimit -n) == 64 ]]
cat >child.sh <<'SCRIPT'
#!/bin/sh
echo "$1" | sed 's/a/b/g' | tr b-z a-y
SCRIPT
chmod +x child.sh; [[ $(./child.sh banana) == aamama ]]
[[ $(printf '%s\n' c a b | sort | paste -sd,) == a,b,c ]]
exec 5<>file; echo kept >&5; exec 5>&-; grep -q kept file
read -r -t 0.1 nothing </dev/null || true
[[ $(awk 'BEGIN {while (("echo a; echo b" | getline x) > 0) print x}' | wc -l) == 2 ]]
