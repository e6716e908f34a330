# timeout(1) makes a group of its own, which is refused, and goes on.
timeout 60 true
code=0; timeout 0.2 sleep 100 || code=$?; [[ $code == 124 ]]
code=0; timeout --signal=KILL 0.2 sleep 100 || code=$?; [[ $code == 137 ]]
code=0; timeout --foreground 0.2 bash -c 'sleep 100' || code=$?; [[ $code == 124 ]]
code=0; timeout -k 0.2 0.2 bash -c 'trap "" TERM; sleep 100; sleep 100' || code=$?; [[ $code == 137 || $code == 124 ]]
