# What a template of Python does before it serves forks, and what each fork does
# around its program. The modules to import are the arguments.
#
# It is executed with `python3 -c`, in a namespace of its own: nothing of it is in
# the modules that a program sees.

import sys

# What a program finds imported is what its modules import, not what this does.
before = set(sys.modules)

import _imp
import _io
import _signal
import atexit
import builtins
import gc
import os
import posix
import stat
from _frozen_importlib import ModuleSpec
from _frozen_importlib_external import ExtensionFileLoader, SourceFileLoader
from _weakref import ref

# What this file relies on was looked at, and is tested, in these.
VERSIONS = ((3, 11),)

NATIVE = 4
SOURCE = 5


def load_fork_point():
    path = "/proc/self/fd/%d" % NATIVE
    name = "cordon_fork_point"
    return _imp.create_dynamic(
        ModuleSpec(name, ExtensionFileLoader(name, path), origin=path))


def forget_own_imports():
    for name in set(sys.modules) - before:
        del sys.modules[name]


def import_modules(names):
    # `python3 -c` finds modules where it starts.
    del sys.path[0]
    for name in names:
        __import__(name)
    sys.path_importer_cache.pop("", None)


def end_threads():
    """Libraries that make threads end them before a fork (pthread_atfork(3)),
    and make new ones when they need some."""
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    if len(os.listdir("/proc/self/task")) != 1:
        sys.exit("a module that was imported keeps a thread")


# ------------------------------------------------------------------ in a fork


def rehearse():
    """Does what is to come for no program: the pages that this copies, and those
    that it finds, are there when somebody waits."""
    for fd in (0, 1, 2):
        make_stream(fd, "r" if fd == 0 else "w", "<stream>", "strict")
    set_environment([b"HOME=."])
    is_script([b"", b"."])
    start_differs()
    main = sys.modules["__main__"]
    make_main("main.py")
    exec(compile("x = 'word'\nprint\ndef f(): return x\nf()\n", "", "exec"),
         sys.modules["__main__"].__dict__)
    destroy()
    sys.modules["__main__"] = main


def prepare():
    """All that does not depend on the program."""
    threading = sys.modules.get("threading")
    if threading is not None:
        # The thread is another one to the kernel, and its state is new.
        thread = threading.main_thread()
        thread._set_native_id()
        thread._set_tstate_lock()
    # random does it by itself.
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()
    rehearse()


def make_stream(fd, mode, name, errors):
    """As the interpreter makes its standard streams at its start."""
    buffer = _io.open(fd, mode + "b", -1, closefd=False)
    buffer.raw.name = name
    stream = _io.TextIOWrapper(buffer, encoding, errors, "\n",
                               line_buffering=buffer.raw.isatty() or fd == 2)
    stream.mode = mode
    return stream


def set_environment(variables):
    # Also os.environ's own.
    environ = posix.environ
    environ.clear()
    for variable in variables:
        name, separator, value = variable.partition(b"=")
        # The first of several counts, as for getenv(3).
        if separator:
            environ.setdefault(name, value)


def set_user_base():
    """Where `site` would have found a user's own modules."""
    site = sys.modules.get("site")
    if site is not None and site.USER_BASE is not None:
        base = os.environ["HOME"] + "/.local"
        site.USER_SITE = base + site.USER_SITE[len(site.USER_BASE):]
        site.USER_BASE = base


def start_differs():
    """Whether a new interpreter would find other modules than were imported, or
    others than it finds everywhere."""
    try:
        if not os.path.samefile(os.environ.get("HOME", "/"), "."):
            return True
    except OSError:
        return True
    return any(name == ".local" or name.partition(".")[0] in imported
               for name in os.listdir("."))


def is_script(arguments):
    """Whether it is `python3 FILE` that is asked for, with a file that is there,
    beneath the working directory, and no archive (zipimport)."""
    if len(arguments) < 2 or arguments[1][:1] in (b"", b"-", b"/"):
        return False
    try:
        fd = os.open(arguments[1], os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return False
    # The end of an archive, with the longest comment that it can have.
    most = 22 + 65535
    status = os.fstat(fd)
    end = b""
    if stat.S_ISREG(status.st_mode):
        end = os.pread(fd, most, max(0, status.st_size - most))
    os.close(fd)
    return stat.S_ISREG(status.st_mode) and b"PK\x05\x06" not in end


def make_main(path):
    """A new one: what called the fork point has a hold on the template's own."""
    module = type(sys)("__main__")
    main = module.__dict__
    main["__loader__"] = SourceFileLoader("__main__", path)
    main["__annotations__"] = {}
    main["__builtins__"] = builtins
    main["__file__"] = path
    main["__cached__"] = None
    sys.modules["__main__"] = module


def begin(argv, variables):
    set_environment(variables)
    if not is_script(argv) or start_differs():
        return None
    set_user_base()
    arguments = [os.fsdecode(argument) for argument in argv]
    directory = os.getcwd()
    path = directory + "/" + arguments[1]
    sys.orig_argv[:] = arguments
    sys.argv[:] = arguments[1:]
    sys.path.insert(0, directory)
    sys.path_importer_cache[path] = None
    sys.stdin = sys.__stdin__ = make_stream(0, "r", "<stdin>", stdin_errors)
    sys.stdout = sys.__stdout__ = make_stream(1, "w", "<stdout>", stdout_errors)
    sys.stderr = sys.__stderr__ = make_stream(2, "w", "<stderr>",
                                              "backslashreplace")
    make_main(path)
    return os.fsencode(path)


# ----------------------------------------------------------- the program's end
#
# As Py_FinalizeEx() ends a program's modules, and with them what it has made. The
# template's own stay as they are.


def clear_module(namespace):
    for is_first in (True, False):
        for name, value in list(namespace.items()):
            if not isinstance(name, str) or value is None:
                continue
            private = name[:1] == "_" and name[1:2] != "_"
            if private if is_first else name != "__builtins__":
                namespace[name] = None


def destroy_modules():
    for name in ("last_type", "last_value", "last_traceback"):
        if hasattr(sys, name):
            setattr(sys, name, None)
    for name in ("stdin", "stdout", "stderr"):
        setattr(sys, name, getattr(sys, "__%s__" % name, None))
    own = []
    names = {}
    for name, module in list(sys.modules.items()):
        if template.get(name) is not module:
            del sys.modules[name]
            if isinstance(module, type(sys)):
                names[id(module.__dict__)] = module.__dict__.get("__name__")
            try:
                own.append(ref(module))
            except TypeError:
                pass
        del module
    gc.collect()
    # Before what it uses: the interpreter would have destroyed all at once.
    clear_kept_names(names)
    gc.collect()
    for reference in reversed(own):
        module = reference()
        if isinstance(module, type(sys)):
            clear_module(module.__dict__)
        del module
    gc.collect()


def clear_kept_names(names):
    """Of modules that are gone, but for a function or class of theirs that a
    module of the template holds: as typing does of what it was given."""
    kept = [thing for thing in gc.get_objects()
            if type(thing) is dict and id(thing) in names and
            thing.get("__name__") == names[id(thing)]]
    for namespace in kept:
        clear_module(namespace)


def close_files():
    """What is still open would be closed as it is destroyed: first what writes
    to another of them at its end."""
    standard = set()
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        for thing in (stream, getattr(stream, "buffer", None),
                      getattr(getattr(stream, "buffer", None), "raw", None)):
            standard.add(id(thing))

    def layer(thing):
        if isinstance(thing, _io._TextIOBase):
            return 0
        if isinstance(thing, _io._BufferedIOBase):
            return 2 if type(thing).__module__ == "_io" else 1
        return 3

    files = [thing for thing in gc.get_objects()
             if isinstance(thing, _io._IOBase) and id(thing) not in standard]
    for thing in sorted(files, key=layer):
        try:
            thing.close()
        except Exception:
            pass


def destroy():
    destroy_modules()
    close_files()


# ------------------------------------------------------------------------ main

if sys.version_info[:2] not in VERSIONS:
    sys.exit("templates of Python %d.%d are not supported" %
             sys.version_info[:2])
fork_point = load_fork_point()
for descriptor in (NATIVE, SOURCE):
    os.close(descriptor)
# As in a run, where nobody can ignore it: the interpreter does, at its start.
_signal.signal(_signal.SIGXFSZ, _signal.SIG_DFL)
run_exit_functions = atexit._run_exitfuncs
encoding = sys.stdout.encoding
stdin_errors = sys.stdin.errors
stdout_errors = sys.stdout.errors
forget_own_imports()
at_start = set(sys.modules)
import_modules(sys.argv[1:])
end_threads()
# Of which a program may have its own, beside it.
imported = {name.partition(".")[0] for name in set(sys.modules) - at_start}
template = dict(sys.modules)
del template["__main__"]
gc.collect()
gc.freeze()
fork_point.serve(prepare, begin, run_exit_functions, destroy)
