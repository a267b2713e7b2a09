//! Profiles of named scenarios: `perf record` around this program at work, a flamegraph of what it saw, and a summary of
//! the frames with the most time of their own, which says under what circumstances.
//!
//! Only stacks through [`measured`] are kept, so that the making of keys is not part of the picture.

use crate::bls::work::{DISTINCT, Recovery, Work};
use anyhow::Context;
use inferno::collapse::Collapse;
use inferno::collapse::perf::{Folder, Options as FolderOptions};
use inferno::flamegraph;
use phalanx_bls::Backend;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What can be recorded, and what it does over and over on one core.
pub const SCENARIOS: [(&str, &str); 2] = [
    ("batch-verification", "128 signatures by as many keys, min-sig, from bytes, on the fastest backend"),
    ("recovery", "one signature from 667 partials, min-sig, from bytes, on the fastest backend"),
];

/// Samples a second.
const FREQUENCY_HZ: u32 = 997;
/// What is copied of each stack, which holds tables of points. Unit: bytes.
const STACK_BYTES: u32 = 65_528;
/// Frames listed in the summary.
const FRAMES_MAX: usize = 25;
/// What stands in every stack that is kept.
const MARKER: &str = "profile::measured";

/// Works on a scenario for some time, and returns how often and how long once took, at the median.
///
/// # Errors
/// There is no such scenario.
pub fn work(scenario: &str, duration: Duration) -> anyhow::Result<(usize, Duration)> {
    let once: Box<dyn Fn() + Send + Sync> = match scenario {
        "batch-verification" => {
            let mut works = Work::all();
            works.retain(|work| work.name() == DISTINCT);
            let work = works.pop().context("the line is there")?;
            Box::new(move || work.ours(Backend::detect()))
        }
        "recovery" => {
            let recovery = Recovery::new(1_000);
            Box::new(move || recovery.ours(Backend::detect()))
        }
        other => anyhow::bail!("no scenario is called {other:?}"),
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().context("a pool of one thread")?;
    let mut times = pool.install(|| measured(&once, duration));
    times.sort_unstable();
    Ok((times.len(), times[times.len() / 2]))
}

/// What is looked at.
#[inline(never)]
fn measured(once: &(dyn Fn() + Send + Sync), duration: Duration) -> Vec<Duration> {
    let (started, mut times) = (Instant::now(), Vec::new());
    while times.is_empty() || started.elapsed() < duration {
        let start = Instant::now();
        once();
        times.push(start.elapsed());
    }
    times
}

/// Records a scenario into `<directory>/<scenario>.svg` and `.txt`, and returns the summary.
///
/// # Errors
/// perf is not there or not allowed, or files cannot be written.
pub fn record(scenario: &str, duration: Duration, directory: &Path) -> anyhow::Result<String> {
    let (_, what) = SCENARIOS.iter().find(|(name, _)| *name == scenario).context("no scenario of that name")?;
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let data = tempfile::NamedTempFile::new().context("a place for samples")?;
    let seconds = duration.as_secs().to_string();
    let frequency = FREQUENCY_HZ.to_string();
    let output = Command::new("perf")
        .args(["record", "--quiet", "--freq", &frequency, "--call-graph", &format!("dwarf,{STACK_BYTES}"), "--output"])
        .arg(data.path())
        .arg("--")
        .arg(std::env::current_exe()?)
        .args(["work", scenario, "--seconds", &seconds])
        .stderr(Stdio::inherit())
        .output()
        .context("perf, which must be installed, cannot be started")?;
    anyhow::ensure!(output.status.success(), "perf record: {}", output.status);
    let done = String::from_utf8(output.stdout)?;
    let (stacks, seen) = folded(data.path())?;
    let mut options = flamegraph::Options::default();
    options.title = format!("{scenario}: {what}");
    options.count_name = "ns".to_owned();
    let svg = File::create(directory.join(format!("{scenario}.svg")))?;
    flamegraph::from_lines(&mut options, stacks.iter().map(String::as_str), svg).context("the flamegraph")?;
    let command =
        format!("cargo run --release -p phalanx-benches --bin profile -- record {scenario} --seconds {seconds}");
    let circumstances = format!(
        "# {scenario}: {what}\n\n{}command: {command}\nload before: {}\ndone: {done}",
        circumstances(),
        load.trim()
    );
    let summary = format!("{circumstances}\n{}", self_time(&stacks, seen));
    fs::write(directory.join(format!("{scenario}.txt")), &summary)?;
    Ok(summary)
}

/// The stacks through what is measured, from there on, each with its time; and the time of all stacks. Unit:
/// nanoseconds.
fn folded(data: &Path) -> anyhow::Result<(Vec<String>, u64)> {
    let mut script = Command::new("perf")
        .args(["script", "--no-inline", "--input"])
        .arg(data)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("perf script")?;
    let (stdout, mut lines) = (script.stdout.take().context("its output")?, Vec::new());
    Folder::from(FolderOptions::default()).collapse(BufReader::new(stdout), &mut lines).context("folding stacks")?;
    anyhow::ensure!(script.wait()?.success(), "perf script fails");
    let kept = |line: &str| line.find(MARKER).map(|start| line[start..].to_owned());
    let lines = String::from_utf8(lines)?;
    let seen = lines.lines().map(|line| of_stack(line).1).sum();
    let stacks: Vec<String> = lines.lines().filter_map(kept).collect();
    anyhow::ensure!(!stacks.is_empty(), "no stack goes through {MARKER}: was the program built without line tables?");
    Ok((stacks, seen))
}

/// A line's stack and its time.
fn of_stack(line: &str) -> (&str, u64) {
    let (stack, time) = line.rsplit_once(' ').unwrap_or((line, "0"));
    (stack, time.parse().unwrap_or(0))
}

/// When, of what, and where.
fn circumstances() -> String {
    let said = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).stderr(Stdio::null()).output();
        output.ok().and_then(|output| String::from_utf8(output.stdout).ok()).unwrap_or_default().trim().to_owned()
    };
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = processor.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split(':').nth(1)).unwrap_or("unknown").trim().to_owned()
    };
    let modified = if said("git", &["status", "--porcelain"]).is_empty() { "" } else { ", modified" };
    format!(
        "date: {}\ncommit: {}{modified}\nprocessor: {} (family {}, model {}), {} cores\nkernel: {}\n",
        said("date", &["-u", "+%Y-%m-%d %H:%M UTC"]),
        said("git", &["rev-parse", "--short", "HEAD"]),
        field("model name"),
        field("cpu family"),
        field("model\t"),
        std::thread::available_parallelism().map_or(0, usize::from),
        said("uname", &["-sr"]),
    )
}

/// The frames with the most time of their own.
fn self_time(stacks: &[String], seen_ns: u64) -> String {
    let (mut frames, mut total_ns) = (BTreeMap::<&str, u64>::new(), 0);
    for (stack, time_ns) in stacks.iter().map(|line| of_stack(line)) {
        *frames.entry(stack.rsplit(';').next().unwrap_or(stack)).or_default() += time_ns;
        total_ns += time_ns;
    }
    let mut frames: Vec<(&str, u64)> = frames.into_iter().collect();
    frames.sort_by_key(|(_, time_ns)| std::cmp::Reverse(*time_ns));
    let (total_ms, seen_ms) = (total_ns / 1_000_000, seen_ns / 1_000_000);
    let mut table = format!("{total_ms} ms of processor time in {seen_ms} ms seen; of it in the frame itself:\n");
    for (frame, time_ns) in frames.iter().take(FRAMES_MAX) {
        #[expect(clippy::cast_precision_loss, reason = "seconds")]
        let percent = 100.0 * *time_ns as f64 / total_ns as f64;
        let _ = writeln!(table, "{percent:6.2} %  {frame}");
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_works() {
        for (scenario, _) in SCENARIOS {
            let (times, _) = work(scenario, Duration::ZERO).expect("it is one");
            assert_eq!(times, 1);
        }
        assert!(work("another", Duration::ZERO).is_err());
    }

    #[test]
    fn own_time_is_that_of_the_last_frame() {
        let stacks = ["measured;a;b 3000000", "measured;a 1000000", "measured;c;b 6000000"].map(str::to_owned);
        let table = self_time(&stacks, 12_000_000);
        let expected = "10 ms of processor time in 12 ms seen; of it in the frame itself:\n 90.00 %  b\n 10.00 %  a\n";
        assert_eq!(table, expected);
    }
}
