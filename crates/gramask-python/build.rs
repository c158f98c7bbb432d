//! On macOS an extension module has to be linked with leave to find Python's symbols later.

fn main() {
    pyo3_build_config::add_extension_module_link_args();
}
