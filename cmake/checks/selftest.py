#!/usr/bin/env python3
"""The checks' own tests: a small bad tree makes each of them fail, a good one passes."""
import json
import pathlib
import tempfile
import unittest

import check_functions
import check_headers
import check_layering


class Tree(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.root = pathlib.Path(holder.name)

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


class Layering(Tree):
    def complaints(self, path, text):
        self.write(path, text)
        return check_layering.check_tree(self.root)

    def test_passes_an_allowed_include(self):
        self.assertEqual([], self.complaints("storage/log.h", '#include "common/ids.h"\n'))

    def test_refuses_an_include_outside_the_table(self):
        errors = self.complaints("raft/core.cc", '\n#include "storage/log.h"\n')
        self.assertEqual(["raft/core.cc:2: raft may not include storage/log.h"], errors)

    def test_reads_angle_brackets_too(self):
        self.assertEqual(1, len(self.complaints("raft/core.cc", "#include <storage/log.h>\n")))

    def test_refuses_a_folder_that_is_not_in_the_table(self):
        self.assertEqual(1, len(self.complaints("misc/a.cc", "int a;\n")))
        self.assertEqual(2, len(self.complaints("broker/extra/a.cc", "int a;\n")))

    def test_refuses_a_quoted_include_of_no_folder(self):
        self.assertEqual(1, len(self.complaints("raft/core.cc", '#include "core.h"\n')))

    def test_keeps_grpc_in_control(self):
        self.assertEqual([], self.complaints("broker/control/a.cc", "#include <grpcpp/grpcpp.h>\n"))
        self.assertEqual(1, len(self.complaints("broker/a.cc", "#include <grpcpp/grpcpp.h>\n")))
        text = '#include "proto/control.grpc.pb.h"\n'
        self.assertEqual(2, len(self.complaints("broker/b.cc", text)))

    def test_keeps_rocksdb_in_one_file_of_storage(self):
        self.assertEqual([], self.complaints("storage/kv.cc", "#include <rocksdb/db.h>\n"))
        self.assertEqual(2, len(self.complaints("storage/b.cc", "#include <rocksdb/db.h>\n")))

    def test_keeps_asio_at_the_doors(self):
        self.assertEqual([], self.complaints("broker/gateway/a.cc", "#include <boost/asio.hpp>\n"))
        self.assertEqual(1, len(self.complaints("broker/a.cc", "#include <boost/asio/ip/tcp.hpp>\n")))

    def test_keeps_prometheus_in_the_metrics_files_and_http(self):
        self.assertEqual([], self.complaints("common/metrics.cc", "#include <prometheus/gauge.h>\n"))
        self.assertEqual(1, len(self.complaints("raft/core.cc", "#include <prometheus/gauge.h>\n")))

    def test_leaves_tests_and_build_output_free(self):
        self.write("build/x/a.cc", '#include "nowhere.h"\n')
        text = '#include "nowhere.h"\n#include <rocksdb/db.h>\n'
        self.assertEqual([], self.complaints("tests/unit/a.cc", text))


class Functions(unittest.TestCase):
    LONG = "  f();\n" * 69  # With its two braces 71 lines.

    def count(self, text):
        return len(check_functions.check_text("a.cc", text))

    def test_passes_seventy_lines_and_refuses_seventy_one(self):
        self.assertEqual(0, self.count("void F() {\n" + "  f();\n" * 68 + "}\n"))
        self.assertEqual(1, self.count("void F() {\n" + self.LONG + "}\n"))

    def test_finds_a_method_in_a_class_in_a_namespace(self):
        text = "namespace a {\nclass B : public C {\n void F() const {\n" + self.LONG + " }\n};\n}\n"
        self.assertEqual(1, self.count(text))

    def test_a_long_class_is_no_long_function(self):
        self.assertEqual(0, self.count("class A {\n" + "  void F() { g(); }\n" * 90 + "};\n"))

    def test_sees_the_body_behind_an_initialiser_list(self):
        text = "A::A(int b) : b_{b}, c_(1), d_{} {\n" + self.LONG + "}\n"
        self.assertEqual(1, self.count(text))

    def test_sees_operators_and_defaults(self):
        self.assertEqual(1, self.count("bool A::operator==(A b) const {\n" + self.LONG + "}\n"))
        self.assertEqual(1, self.count("void F(int a = 1) {\n" + self.LONG + "}\n"))

    def test_counts_a_lambda_with_the_function_around_it(self):
        text = "void F() {\n g([] {\n" + "  f();\n" * 67 + " });\n}\n"
        self.assertEqual(1, self.count(text))

    def test_is_not_misled_by_comments_strings_and_directives(self):
        text = 'void F() {\n  // }\n  s = "}";\n  c = \'}\';\n#define X }\n' + self.LONG + "}\n"
        self.assertEqual(1, self.count(text))

    def test_a_long_table_of_values_is_no_function(self):
        self.assertEqual(0, self.count("const int kA[] = {\n" + "  f(1),\n" * 90 + "};\n"))

    def test_excepts_a_table_of_codes(self):
        text = "// A table of codes.\nint F(int a) {\n" + self.LONG + "}\n"
        self.assertEqual(0, self.count(text))


class Headers(Tree):
    def complaints(self, **headers):
        entries = [{
            "directory": str(self.root / "build"),
            "file": str(self.root / "common/a.cc"),
            "command": f"c++ -std=c++20 -I{self.root} -o a.o -c {self.root}/common/a.cc",
        }]
        self.write("build/compile_commands.json", json.dumps(entries))
        for name, text in headers.items():
            self.write(f"common/{name}.h", text)
        return check_headers.check_tree(self.root / "build", self.root)[1]

    def test_passes_a_header_that_stands_alone_and_does_not_compile_it_again(self):
        self.assertEqual([], self.complaints(a="#pragma once\n#include <string>\n"))
        stamp = self.root / "build/header_checks/common__a.h.ok"
        before = stamp.stat().st_mtime_ns
        self.assertEqual([], self.complaints())
        self.assertEqual(before, stamp.stat().st_mtime_ns)

    def test_refuses_a_header_that_leans_on_another(self):
        self.assertEqual(1, len(self.complaints(a="#pragma once\nstd::string F();\n")))

    def test_refuses_a_header_without_a_guard(self):
        self.assertEqual(1, len(self.complaints(a="struct A {};\n")))

    def test_leaves_a_header_to_the_source_that_begins_with_it(self):
        leaning = {"b": "#pragma once\nstd::string F();\n"}
        self.write("common/a.cc", '#include "common/a.h"\n')
        self.assertEqual([], self.complaints(a=leaning["b"]))
        self.assertEqual(1, len(self.complaints(**leaning)), "no source of its name")
        self.write("common/a.cc", '#include <string>\n#include "common/a.h"\n')
        self.assertEqual(2, len(self.complaints()), "another one comes first")
        self.write("common/a.cc", '#include "common/a.h"\n')
        self.assertEqual(2, len(self.complaints(a="std::string F();\n")), "no guard")

    def test_looks_again_when_an_included_header_changed(self):
        self.assertEqual([], self.complaints(
            a='#pragma once\n#include "common/b.h"\nB F();\n', b="#pragma once\nstruct B {};\n"))
        self.write("common/b.h", "#pragma once\nstruct C {};\n")
        self.assertEqual(1, len(self.complaints()))


if __name__ == "__main__":
    unittest.main()
