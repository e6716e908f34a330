# The command, with a journal, a write-ahead log and two connections.
sqlite3 plain.db 'create table t(x); insert into t values(1),(2); begin; insert into t values(3); commit;'
[[ $(sqlite3 plain.db 'select sum(x) from t') == 6 ]]
sqlite3 wal.db 'pragma journal_mode=wal; create table t(x); insert into t values(7); vacuum;' | grep -q wal
[[ $(sqlite3 wal.db 'select x from t') == 7 ]]
sqlite3 plain.db '.backup copy.db'; [[ $(sqlite3 copy.db 'pragma integrity_check') == ok ]]
