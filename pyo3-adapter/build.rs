//! Tells the crate which Python it is built for, and its tests where that Python's library is.

fn main() {
    pyo3_build_config::use_pyo3_cfgs();
    pyo3_build_config::add_libpython_rpath_link_args();
    // Link arguments do not reach the programs that use this crate: their build scripts pass this on.
    println!("cargo::metadata=rpath={}", pyo3_build_config::get().lib_dir().unwrap_or_default());
    // Where sys.prefix is found from: an embedded interpreter cannot look at its own path.
    let executable = pyo3_build_config::get().executable().unwrap_or_default();
    println!("cargo:rustc-env=GATEWAY_PYTHON_EXECUTABLE={executable}");
}
