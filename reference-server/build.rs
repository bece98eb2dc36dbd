//! Lets the binary find libpython wherever the interpreter keeps it, without LD_LIBRARY_PATH.

fn main() {
    // Set by pyo3-adapter's build script, so it is there only if that is linked.
    if let Ok(folder) = std::env::var("DEP_GATEWAY_PYTHON_RPATH") {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{folder}");
    }
}
