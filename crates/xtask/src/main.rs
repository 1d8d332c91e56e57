//! Development tasks: `cargo run -p xtask -- TASK`.

mod demo_data;
mod tidy;

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let root = workspace_root();
    match std::env::args().nth(1).as_deref() {
        Some("tidy") => tidy::run(&root),
        Some("demo-data") => demo_data::run(&root),
        _ => {
            eprintln!("usage: cargo run -p xtask -- tidy | demo-data");
            ExitCode::FAILURE
        }
    }
}

/// The workspace that cargo runs this task for. Asked at run time: two checkouts that share a
/// target folder share the binary, and each must look at its own tree.
fn workspace_root() -> PathBuf {
    match std::env::var_os("CARGO_MANIFEST_DIR") {
        Some(crate_folder) => PathBuf::from(crate_folder).join("../.."),
        None => PathBuf::from("."),
    }
}
