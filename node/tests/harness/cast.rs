//! Foundry's `cast`, for tests that speak to operators as their users do. From npm: `@foundry-rs/cast`.

#![allow(dead_code, reason = "each test target uses a part of it")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where `cast` is: named by the variable `CAST`, or on the `PATH`. Where it is not, says so loudly, for a test
/// that then has nothing to do.
pub(crate) fn find() -> Option<Cast> {
    if let Some(path) = std::env::var_os("CAST") {
        assert!(Path::new(&path).is_file(), "the variable CAST names no file: {}", path.display());
        return Some(Cast { binary: path.into() });
    }
    let places = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&places).map(|place| place.join("cast")).find(|path| path.is_file());
    if found.is_none() {
        eprintln!("SKIPPED: Foundry's cast is missing: `npm install -g @foundry-rs/cast`, or name it in CAST");
    }
    found.map(|binary| Cast { binary })
}

/// The program.
#[derive(Clone, Debug)]
pub(crate) struct Cast {
    binary: PathBuf,
}

impl Cast {
    /// Runs it against an operator: what it printed, or why it failed.
    pub(crate) fn run(&self, url: &str, arguments: &[&str]) -> Result<String, String> {
        let mut command = Command::new(&self.binary);
        command.args(arguments).env("ETH_RPC_URL", url).stdin(Stdio::null());
        let output = command.output().expect("cast can be started");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("cast prints text").trim().to_owned();
        if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
    }

    /// As [`Self::run`], for what must succeed.
    pub(crate) fn ok(&self, url: &str, arguments: &[&str]) -> String {
        self.run(url, arguments).unwrap_or_else(|error| panic!("cast {}: {error}", arguments.join(" ")))
    }
}
