# flags: --memory=256M
# Linear algebra with the library's own threads, and four of Python's.
cat >program.py <<'P'
import concurrent.futures
import numpy
a = numpy.random.default_rng(1).random((400, 400))
with concurrent.futures.ThreadPoolExecutor(4) as pool:
    products = list(pool.map(lambda i: (a @ a * i).sum(), range(8)))
assert abs(products[2] - 2 * products[1]) < 1e-3
assert numpy.allclose(a @ numpy.linalg.inv(a), numpy.eye(400))
numpy.save("a.npy", a)
assert numpy.load("a.npy", mmap_mode="r").shape == (400, 400)
P
python3 program.py
