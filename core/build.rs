//! Packs the data that is read while a policy is compiled: text that takes up to a fifth of its room in the module then.

// It runs on the machine that builds, before there is a core.
#![allow(clippy::disallowed_macros, clippy::disallowed_methods)]

use std::error::Error;
use std::path::Path;
use std::{env, fs};

const BEST: u8 = 9;

fn main() -> Result<(), Box<dyn Error>> {
    let packed = env::var("OUT_DIR")?;
    for name in ["rate-card", "time-zones"] {
        let data = format!("data/{name}.txt");
        println!("cargo::rerun-if-changed={data}");
        let bytes = miniz_oxide::deflate::compress_to_vec(&fs::read(data)?, BEST);
        fs::write(Path::new(&packed).join(name), bytes)?;
    }
    println!("cargo::rerun-if-changed=build.rs");
    Ok(())
}
