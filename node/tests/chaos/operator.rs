//! One operator as a real process in its namespace: started, with or without something that meddles with its
//! clock or its disk; stopped, continued and killed; its disk filled and emptied.

use crate::cluster::Place;
use crate::command::find;
use crate::network::namespace;
use anyhow::{Context, bail, ensure};
use phalanx_node::cli::{PidFile, RpcClient};
use phalanx_node::rpc::types::ClusterStatus;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant, UNIX_EPOCH};

/// How long a request to an operator may take, which may be dead or stopped.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a process may take to be there, and to be gone when it was told to go.
const PROCESS_WAIT: Duration = Duration::from_secs(20);
const DAY_S: i64 = 86_400;
const POLL: Duration = Duration::from_millis(5);
static BALLAST_CHUNK: [u8; 64 << 10] = [0xba; 64 << 10];

/// Programs and libraries that some faults are made with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tools {
    pub(crate) strace: Option<PathBuf>,
    pub(crate) faketime: Option<PathBuf>,
}

impl Tools {
    /// What is installed here.
    pub(crate) fn find() -> Self {
        let libraries = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
        let faketime = libraries
            .map(|entry| entry.path().join("faketime/libfaketimeMT.so.1"))
            .chain([PathBuf::from("/usr/lib/faketime/libfaketimeMT.so.1")])
            .find(|path| path.is_file());
        Self { strace: find("strace"), faketime }
    }
}

/// How an operator is started.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Launch {
    /// As it is.
    Plain,
    /// Its wall clock goes wrong by what stands in a file: this library, loaded into it, reads that.
    Clock { library: PathBuf },
    /// Every sync of its files takes so much longer.
    SlowDisk { strace: PathBuf, delay: Duration },
    /// Its syncs fail from this one on.
    FailingDisk { strace: PathBuf, from: u32 },
}

/// An operator.
#[derive(Debug)]
pub(crate) struct Operator {
    pub(crate) place: Place,
    pub(crate) rpc: RpcClient,
    child: Option<Child>,
}

impl Operator {
    /// An operator that does not run yet.
    pub(crate) fn new(place: Place) -> anyhow::Result<Self> {
        let rpc = RpcClient::with_timeout(&format!("http://{}", place.rpc), REQUEST_TIMEOUT)?;
        Ok(Self { place, rpc, child: None })
    }

    /// Starts the process.
    pub(crate) fn start(&mut self, launch: &Launch) -> anyhow::Result<()> {
        ensure!(self.ended()?.is_some(), "operator {} runs already", self.place.index);
        let log = OpenOptions::new().create(true).append(true).open(self.place.log())?;
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &namespace(self.place.index)]);
        self.meddle(&mut command, launch)?;
        command.arg(env!("CARGO_BIN_EXE_phalanx")).args(["run", "--config"]).arg(self.place.config());
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        self.child = Some(command.spawn().context("cannot run ip")?);
        Ok(())
    }

    fn meddle(&self, command: &mut Command, launch: &Launch) -> anyhow::Result<()> {
        let mut strace = |strace: &PathBuf, injection: String| {
            command.arg(strace).args(["-f", "--seccomp-bpf", "-qqq", "-o", "/dev/null", "-e", "trace=fdatasync,fsync"]);
            command.args(["-e", &format!("inject=fdatasync,fsync:{injection}")]);
        };
        match launch {
            Launch::Plain => {}
            Launch::SlowDisk { strace: program, delay } => {
                strace(program, format!("delay_enter={}", delay.as_micros()));
            }
            Launch::FailingDisk { strace: program, from } => strace(program, format!("error=EIO:when={from}+")),
            Launch::Clock { library } => {
                self.set_clock(0)?;
                command.arg("env").arg(format!("LD_PRELOAD={}", library.display()));
                command.arg(format!("FAKETIME_TIMESTAMP_FILE={}", self.clock_file().display()));
                // The step is seen within a second; monotonic time and file times are left alone.
                command.args(["FAKETIME_CACHE_DURATION=1", "FAKETIME_DONT_FAKE_MONOTONIC=1", "NO_FAKE_STAT=1"]);
            }
        }
        Ok(())
    }

    fn clock_file(&self) -> PathBuf {
        self.place.home.join("clock")
    }

    /// How far the wall clock of an operator that was started for it is off from now on. Unit: seconds.
    pub(crate) fn set_clock(&self, offset_s: i64) -> anyhow::Result<()> {
        // Replaced in one step, so that it is never read half written.
        let fresh = self.place.home.join("clock.new");
        fs::write(&fresh, format!("{offset_s:+}\n"))?;
        Ok(fs::rename(fresh, self.clock_file())?)
    }

    /// How the process ended, when it does not run; nothing while it does.
    pub(crate) fn ended(&mut self) -> anyhow::Result<Option<Option<ExitStatus>>> {
        match &mut self.child {
            None => Ok(Some(None)),
            Some(child) => Ok(child.try_wait()?.map(Some)),
        }
    }

    /// Sends a signal to the operator itself, not to what meddles with it.
    pub(crate) fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let deadline = Instant::now() + PROCESS_WAIT;
        let pid = loop {
            if let Some(pid) = PidFile::holder(&self.place.pid_file()) {
                break pid;
            }
            if Instant::now() >= deadline {
                bail!("operator {} holds no pid file", self.place.index);
            }
            std::thread::sleep(POLL);
        };
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).context("a pid file without a process id")?;
        Ok(kill_process(pid, signal)?)
    }

    /// `kill -9`; returns when the process is gone. Nothing to do when it is.
    pub(crate) fn kill(&mut self) -> anyhow::Result<()> {
        if self.ended()?.is_some() {
            return Ok(());
        }
        self.signal(Signal::KILL)?;
        self.wait_gone().map(|_| ())
    }

    /// Waits until the process is gone.
    pub(crate) fn wait_gone(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        let deadline = Instant::now() + PROCESS_WAIT;
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            ensure!(Instant::now() < deadline, "operator {} does not end", self.place.index);
            std::thread::sleep(POLL);
        }
    }

    /// Takes all the room on the operator's disk.
    pub(crate) fn fill_disk(&self) -> anyhow::Result<()> {
        let mut ballast = File::create(self.place.ballast())?;
        let mut chunk = BALLAST_CHUNK.as_slice();
        loop {
            match ballast.write(chunk) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::StorageFull && chunk.len() > 1 => {
                    chunk = &chunk[..chunk.len() / 2];
                }
                Err(error) if error.kind() == io::ErrorKind::StorageFull => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Makes room again.
    pub(crate) fn empty_disk(&self) -> anyhow::Result<()> {
        Ok(fs::remove_file(self.place.ballast())?)
    }

    pub(crate) async fn status(&self) -> Option<ClusterStatus> {
        self.rpc.call("seq_clusterStatus", &[]).await.ok()
    }

    /// Whether it says that it is connected to every other operator.
    pub(crate) async fn is_connected_to_all(&self) -> bool {
        self.status().await.is_some_and(|status| status.operators.iter().all(|operator| operator.connected))
    }

    /// How far its wall clock was off when it last wrote to its log, to half a day: the time in the line against
    /// that of the file. Unit: seconds.
    pub(crate) fn clock_off(&self) -> anyhow::Result<i64> {
        let written = fs::metadata(self.place.log())?.modified()?.duration_since(UNIX_EPOCH)?.as_secs();
        let line: Value = serde_json::from_str(&self.log_tail(1)).context("its log does not end in JSON")?;
        let theirs = line["timestamp"].as_str().and_then(time_of_day).context("a line of its log has no time")?;
        let ours = i64::try_from(written)? % DAY_S;
        Ok((theirs - ours + DAY_S + DAY_S / 2) % DAY_S - DAY_S / 2)
    }

    /// The end of its log.
    pub(crate) fn log_tail(&self, lines: usize) -> String {
        let text = fs::read(self.place.log()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let all: Vec<&str> = text.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }
}

/// The time of day in a time of RFC 3339 ("2026-11-26T00:12:54.266477Z"). Unit: seconds.
fn time_of_day(time: &str) -> Option<i64> {
    let (_, clock) = time.split_once('T')?;
    clock.get(..8)?.split(':').try_fold(0, |seconds, part| Some(seconds * 60 + part.parse::<i64>().ok()?))
}

#[test]
fn a_time_of_day_is_read() {
    assert_eq!(time_of_day("2026-11-26T00:12:54.266477Z"), Some(774));
    assert_eq!(time_of_day("2026-11-26"), None);
}

impl Drop for Operator {
    fn drop(&mut self) {
        // What outlives this is killed with the suite's process namespace.
        let _ = self.kill();
    }
}
