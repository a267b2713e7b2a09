//! Other programs: run to their end, with what they said in the error when they fail.

use anyhow::{Context, bail};
use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Runs a program to its end; its standard output.
///
/// # Errors
/// When it cannot be started or fails: the whole command and what it said.
pub(crate) fn run<S: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = S>) -> anyhow::Result<String> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    let output = command.output().with_context(|| format!("cannot run {program}: is it installed?"))?;
    if !output.status.success() {
        bail!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The same for a line whose words have no spaces in them.
pub(crate) fn run_line(line: &str) -> anyhow::Result<String> {
    let mut words = line.split_whitespace();
    run(words.next().context("an empty command")?, words)
}

/// Where a program is, if it is on the `PATH`.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(program)).find(|candidate| candidate.is_file())
}
