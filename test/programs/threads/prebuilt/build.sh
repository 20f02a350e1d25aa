#!/bin/sh
# Builds the programs of this directory as their README.md says. Usage: build.sh CLANG-DIRECTORY SYSROOT LIBCXX
set -eu
cd "$(dirname "$0")"
clang=$1 sysroot=$2 libcxx=$3
# clang runs it if it is there, and what comes out would depend on it; 19.1.7 links nothing with --no-wasm-opt.
if command -v wasm-opt >/dev/null; then echo 'build.sh: take wasm-opt out of PATH' >&2 && exit 1; fi
options="--target=wasm32-wasip1-threads --sysroot=$sysroot -pthread -O2 -Wall -Wextra -Werror
  -Wl,--import-memory,--export-memory,--max-memory=67108864,--strip-all"
for name in jobs local streams sync; do
  "$clang/clang" $options "$name.c" -o "$name.wasm"
done
"$clang/clang++" $options -std=c++20 -fno-exceptions -nostdinc++ -isystem "$libcxx/include/c++/v1" -L"$libcxx/lib" \
  async.cc -o async.wasm
