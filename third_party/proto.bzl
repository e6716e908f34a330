"""C++ code from .proto files, made by Debian's protoc."""

def _hide_macro(macro, header, source):
    """Shell that undefines `macro` between protoc's insertion points."""
    includes = "/@@protoc_insertion_point(includes)/a"
    end = "/@@protoc_insertion_point(global_scope)/a"
    return (
        " && sed -i -e '%s #pragma push_macro(\"%s\")\\n#undef %s' -e '%s #pragma pop_macro(\"%s\")' %s" %
        (includes, macro, macro, end, macro, header) +
        " && sed -i -e '%s #undef %s' %s" % (includes, macro, source)
    )

def cc_grpc_proto(name, src, root, package, grpc = False, macros = [], imports = [], deps = [], visibility = None):
    """A cc_library `name` from one .proto file.

    Args:
      name: the library.
      src: label of the .proto file.
      root: shell expression for the directory that import paths start at,
        relative to the execution root; $(SRC) is the source file.
      package: directory of the .proto below root, which is its import path.
      grpc: whether to generate the service stubs as well.
      imports: the .proto files of this project that it imports.
      deps: their libraries.
      macros: field names that C's headers define as macros (errno): they are
        undefined in the generated code and restored at its end.
      visibility: as everywhere.
    """
    stem = src.split(":")[-1].split("/")[-1].replace(".proto", "")
    outs = ["%s/%s.pb.h" % (package, stem), "%s/%s.pb.cc" % (package, stem)]
    if grpc:
        outs += ["%s/%s.grpc.pb.h" % (package, stem), "%s/%s.grpc.pb.cc" % (package, stem)]
    plugin = "--plugin=protoc-gen-grpc=/usr/bin/grpc_cpp_plugin --grpc_out=$(RULEDIR)" if grpc else ""
    native.genrule(
        name = name + "_gen",
        srcs = [src] + imports,
        outs = outs,
        cmd = "protoc -I%s -I/usr/include --cpp_out=$(RULEDIR) %s $(location %s)" % (root, plugin, src) +
              "".join([_hide_macro(macro, "$(RULEDIR)/" + outs[0], "$(RULEDIR)/" + outs[1]) for macro in macros]),
    )
    native.cc_library(
        name = name,
        srcs = [o for o in outs if o.endswith(".cc")],
        hdrs = [o for o in outs if o.endswith(".h")],
        includes = ["."],
        visibility = visibility,
        deps = deps + ["//third_party:protobuf"] + (["//third_party:grpc"] if grpc else []),
    )
