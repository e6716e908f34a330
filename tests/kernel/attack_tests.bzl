"""Attacks that are compiled once and made in several ways."""

_TAGS = [
    "local",
    "no-sandbox",
    "no-tsan",
]

# Sanitized, the fork point would call a runtime that no interpreter has.
_WARM_TAGS = _TAGS + ["no-asan"]

# As the user who runs the tests: root's runs have uids of their own. And as an
# unprivileged user, whose runs share its uid.
_MAINS = {
    "": "//third_party:gtest_main",
    "_shared_uid": "//tests/support:shared_identity_main",
}

def attack_tests(name, warm = False):
    """Tests of NAME_test.cc: NAME_test and NAME_shared_uid_test.

    Args:
      name: the file's, without _test.cc.
      warm: also NAME_warm_test and NAME_warm_shared_uid_test, where Python's
        programs are forks of a template.
    """
    native.cc_library(
        name = name,
        testonly = True,
        srcs = [name + "_test.cc"],
        # Nothing refers to what registers itself as a test.
        alwayslink = True,
        deps = [
            ":attack",
            ":directory_race",
            ":host_servers",
            ":race",
            ":virtual_run",
            "//sandbox/keeper",
            "//tests/support:degraded_host",
            "//tests/support:root_only",
            "//third_party:absl_status",
            "//third_party:absl_strings",
            "//third_party:absl_time",
            "//third_party:gtest",
        ],
    )
    for way, main in _MAINS.items():
        native.cc_test(
            name = name + way + "_test",
            size = "medium",
            tags = _TAGS,
            deps = [":" + name, main],
        )
        if warm:
            native.cc_test(
                name = name + "_warm" + way + "_test",
                size = "medium",
                env = {"CORDON_TEST_START": "warm"},
                tags = _WARM_TAGS,
                deps = [":" + name, main],
            )
