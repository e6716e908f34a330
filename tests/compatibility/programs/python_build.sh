# A virtual environment without pip, a compiled module, zip files, a server's
# event loop with a child and a thread.
cat >program.py <<'P'
import asyncio, py_compile, shutil, subprocess, sys, venv, zipfile
venv.create("env", with_pip=False)
assert subprocess.run(["env/bin/python", "-c", "import sys; sys.exit(sys.prefix == sys.base_prefix)"]).returncode == 0
with open("module.py", "w") as f: f.write("X = 1\n")
py_compile.compile("module.py")
with zipfile.ZipFile("m.zip", "w") as z: z.write("module.py")
shutil.make_archive("archive", "gztar", ".", "env")
async def main():
    child = await asyncio.create_subprocess_exec("echo", "x", stdout=asyncio.subprocess.PIPE)
    assert (await child.communicate())[0] == b"x\n"
    assert await asyncio.to_thread(sum, range(10)) == 45
asyncio.run(main())
P
python3 program.py
