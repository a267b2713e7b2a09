//! The operators' processes: started, watched, and stopped in the end.
//!
//! Invariants: an operator that this process started never outlives it (each reads a pipe that this process
//! holds, and ends when it closes); one that was restarted by hand is known by its pid file, whose lock
//! proves that it lives, and is stopped at the end too.

use super::layout::{Layout, OperatorPlace};
use crate::cli::PidFile;
use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tokio::process::{Child, Command};

/// How long operators may take to end before they are killed.
const STOP_WAIT_MAX: Duration = Duration::from_secs(10);
const STOP_POLL: Duration = Duration::from_millis(20);
/// How long a devnet without any operator waits for one to be restarted by hand.
pub(super) const ABANDONED_WAIT: Duration = Duration::from_secs(120);
/// How much of a log is shown when an operator does not start. Unit: bytes.
const LOG_TAIL_BYTES: i64 = 2_000;

/// What happened to an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Its process is gone.
    Died { index: usize, pid: u32, how: String },
    /// It was restarted by hand.
    Returned { index: usize, pid: u32 },
}

#[derive(Debug)]
struct Operator {
    place: OperatorPlace,
    /// The process that was started here, while it runs.
    child: Option<Child>,
    /// The process that runs it, whoever started it.
    pid: Option<u32>,
    deaths: u32,
}

/// All operators of a devnet.
#[derive(Debug)]
pub(super) struct Children {
    operators: Vec<Operator>,
}

impl Children {
    /// Starts every operator.
    pub(super) fn start(layout: &Layout) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("cannot find this program itself")?;
        let mut operators = Vec::new();
        for place in &layout.operators {
            let child = spawn(&program, place)?;
            let pid = child.id();
            operators.push(Operator { place: place.clone(), child: Some(child), pid, deaths: 0 });
        }
        Ok(Self { operators })
    }

    /// How many run.
    pub(super) fn alive(&self) -> usize {
        self.operators.iter().filter(|operator| operator.pid.is_some()).count()
    }

    /// How often one died unasked.
    pub(super) fn deaths(&self) -> u32 {
        self.operators.iter().map(|operator| operator.deaths).sum()
    }

    /// Refuses to go on when one ended before it was ready, with the end of its log.
    pub(super) fn check_start(&mut self) -> anyhow::Result<()> {
        for operator in &mut self.operators {
            let Some(child) = &mut operator.child else { continue };
            if let Some(status) = child.try_wait()? {
                let index = operator.place.index;
                operator.child = None;
                operator.pid = None;
                bail!(
                    "operator {index} did not start: {}. The end of {}:\n{}",
                    describe(status),
                    operator.place.log.display(),
                    tail(&operator.place.log)
                );
            }
        }
        Ok(())
    }

    /// What happened since the last look.
    pub(super) fn look(&mut self) -> Vec<Change> {
        let looks = self.operators.iter_mut().enumerate();
        looks.filter_map(|(index, operator)| operator.look(index)).collect()
    }

    /// Ends all of them, whoever started them; returns how many had to be killed.
    pub(super) async fn stop(&mut self) -> usize {
        for operator in &mut self.operators {
            if let Some(child) = &mut operator.child {
                // Closing the pipe asks it to end, and so does the signal: whichever comes first.
                drop(child.stdin.take());
            }
            operator.signal(Signal::TERM);
        }
        let start = Instant::now();
        while self.running() && start.elapsed() < STOP_WAIT_MAX {
            tokio::time::sleep(STOP_POLL).await;
        }
        let mut killed = 0;
        for operator in &mut self.operators {
            if operator.pid.is_some() {
                killed += 1;
                operator.signal(Signal::KILL);
            }
        }
        while self.running() {
            tokio::time::sleep(STOP_POLL).await;
        }
        killed
    }

    fn running(&mut self) -> bool {
        for (index, operator) in self.operators.iter_mut().enumerate() {
            // Asked to end: that it did is no news, and no death.
            if let Some(Change::Died { .. }) = operator.look(index) {
                operator.deaths -= 1;
            }
        }
        self.alive() > 0
    }
}

impl Operator {
    fn look(&mut self, index: usize) -> Option<Change> {
        let died = |operator: &mut Self, how: String| {
            let pid = operator.pid.take()?;
            operator.deaths += 1;
            Some(Change::Died { index, pid, how })
        };
        if let Some(child) = &mut self.child {
            return match child.try_wait() {
                Ok(None) => None,
                Ok(Some(status)) => {
                    self.child = None;
                    died(self, describe(status))
                }
                Err(error) => {
                    self.child = None;
                    died(self, format!("it cannot be watched: {error}"))
                }
            };
        }
        match (self.pid, PidFile::holder(&self.place.pid)) {
            (None, Some(pid)) => {
                self.pid = Some(pid);
                Some(Change::Returned { index, pid })
            }
            (Some(_), None) => died(self, "it ended".to_owned()),
            (before, now) => {
                self.pid = now.or(before);
                None
            }
        }
    }

    /// Only to a process that is ours for certain: a child not yet waited for, or the holder of the lock.
    fn signal(&self, signal: Signal) {
        let held = if self.child.is_some() { self.pid } else { PidFile::holder(&self.place.pid) };
        let pid = held.and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // An error says that it ended by itself meanwhile.
            let _ = kill_process(pid, signal);
        }
    }
}

fn spawn(program: &Path, place: &OperatorPlace) -> anyhow::Result<Child> {
    let open = || OpenOptions::new().create(true).append(true).open(&place.log);
    let log = || open().with_context(|| format!("cannot write the log {}", place.log.display()));
    Command::new(program)
        .arg("run")
        .arg("--config")
        .arg(&place.config)
        .arg("--stop-with-parent")
        .stdin(Stdio::piped())
        .stdout(log()?)
        .stderr(log()?)
        // A group of its own: Ctrl-C at the terminal reaches the devnet, which stops them in order.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot start operator {}", place.index))
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("it ended with exit code {code}"),
        (None, Some(signal)) => format!("it was killed by signal {signal}"),
        (None, None) => "it ended".to_owned(),
    }
}

fn tail(path: &Path) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = File::open(path)?;
        let length = i64::try_from(file.metadata()?.len()).unwrap_or(i64::MAX);
        file.seek(SeekFrom::End(-length.min(LOG_TAIL_BYTES)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned())
    };
    read().unwrap_or_else(|error| format!("({error})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deaths_are_described_for_people() {
        assert_eq!(describe(ExitStatus::from_raw(9)), "it was killed by signal 9");
        assert_eq!(describe(ExitStatus::from_raw(256)), "it ended with exit code 1");
    }

    #[test]
    fn the_tail_is_the_end() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("log");
        std::fs::write(&path, format!("{}the end\n", "x".repeat(10_000))).expect("written");
        let tail = tail(&path);
        assert!(tail.ends_with("the end") && tail.len() <= 2_000);
        std::fs::write(&path, "short\n").expect("written");
        assert_eq!(super::tail(&path), "short");
    }
}
