cat >program.py <<'P'
import sqlite3, threading
for mode in ("delete", "wal"):
    first = sqlite3.connect(f"{mode}.db", timeout=20)
    assert first.execute(f"pragma journal_mode={mode}").fetchone() == (mode,)
    first.execute("create table t(x)")
    first.commit()
    def insert():
        connection = sqlite3.connect(f"{mode}.db", timeout=20)
        for i in range(20):
            with connection: connection.execute("insert into t values (?)", (i,))
    threads = [threading.Thread(target=insert) for _ in range(4)]
    for t in threads: t.start()
    for t in threads: t.join()
    assert first.execute("select count(*), sum(x) from t").fetchone() == (80, 760)
P
python3 program.py
