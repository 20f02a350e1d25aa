#!/bin/sh
# Builds rust.wasm as README.md says. Usage: build-rust.sh CLANG-DIRECTORY SYSROOT LIBRARY
# LIBRARY: the directory `library` of Rust's sources, with `vendor` in it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
clang=$1 sysroot=$2 library=$3
project=$(mktemp -d)
trap 'rm -rf "$project"' EXIT
mkdir "$project/.cargo"
cat >"$project/Cargo.toml" <<EOF
[package]
name = "rust"
version = "0.1.0"
edition = "2024"
[[bin]]
name = "rust"
path = "main.rs"
[profile.release]
opt-level = "s"
lto = true
panic = "abort"
strip = true
codegen-units = 1
EOF
cat >"$project/.cargo/config.toml" <<EOF
[source.crates-io]
replace-with = "vendored"
[source.vendored]
directory = "$library/vendor"
[target.wasm32-wasip1-threads]
linker = "$project/clang"
rustflags = ["-Clink-self-contained=no", "-Clink-arg=-Wl,--max-memory=67108864", "-L$sysroot/lib/wasm32-wasip1-threads",
  "-Zlocation-detail=none"]
EOF
# rustc gives the linker a second target, one without threads.
cat >"$project/clang" <<EOF
#!/bin/sh
exec "$clang/clang" --sysroot="$sysroot" "\$@" --target=wasm32-wasip1-threads
EOF
chmod +x "$project/clang"
cp "$here/rust.rs" "$project/main.rs"
cd "$project"
__CARGO_TESTS_ONLY_SRC_ROOT="$library" cargo +nightly build --offline --release --target wasm32-wasip1-threads \
  -Zbuild-std=std,panic_abort
cp target/wasm32-wasip1-threads/release/rust.wasm "$here"
