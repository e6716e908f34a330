# What needs neither a named semaphore nor a named socket (docs/compatibility.md).
cat >program.py <<'P'
import mmap, multiprocessing, os
def work(connection):
    connection.send(connection.recv() * 2)
    os._exit(7)
if __name__ == "__main__":
    for method in ("fork", "spawn"):
        context = multiprocessing.get_context(method)
        ours, theirs = context.Pipe()
        process = context.Process(target=work, args=(theirs,))
        process.start()
        ours.send(21)
        assert ours.recv() == 42, method
        process.join()
        assert process.exitcode == 7, method
        stuck = context.Process(target=work, args=(theirs,))
        stuck.start()
        stuck.terminate()
        stuck.join()
        assert stuck.exitcode == -15, method
    shared = mmap.mmap(-1, 4096)
    child = os.fork()
    if child == 0:
        shared[0] = 5
        os._exit(0)
    os.waitpid(child, 0)
    assert shared[0] == 5
P
python3 program.py
