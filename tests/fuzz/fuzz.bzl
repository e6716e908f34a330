"""Fuzz targets that are also tests."""

def cc_fuzz_test(name, srcs, deps, tags = []):
    """A libFuzzer target with --config=fuzz, else a short deterministic test.

    Args:
      name: of the test.
      srcs: define LLVMFuzzerTestOneInput.
      deps: of the sources.
      tags: "manual" for what the filter around a container keeps from working.
    """
    native.cc_test(
        name = name,
        size = "small",
        srcs = srcs,
        tags = tags,
        linkopts = select({
            "//tests/fuzz:libfuzzer": ["-fsanitize=fuzzer"],
            "//conditions:default": [],
        }),
        # libFuzzer runs for ever unless it is told; -runs is what a test run is.
        args = select({
            "//tests/fuzz:libfuzzer": ["-runs=20000"],
            "//conditions:default": [],
        }),
        deps = deps + select({
            "//tests/fuzz:libfuzzer": [],
            "//conditions:default": ["//tests/fuzz:fuzz_main"],
        }),
    )
