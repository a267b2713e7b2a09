//! Keys without a dealer, end to end: operators as real processes make their identities, accept a definition, run
//! the ceremony, and then the chain, with what it left on their disks.

#[path = "harness/devnet.rs"]
mod harness;

use harness::{phalanx, run, said};
use phalanx_node::cli::RpcClient;
use phalanx_node::rpc::types::ClusterStatus;
use serde_json::Value;
use std::fs::{self, File};
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const PASSPHRASE: &str = "correct horse battery staple";
/// Enough for any ceremony here, on a busy machine.
const CEREMONY_WAIT: Duration = Duration::from_secs(60);
const BLOCKS_WAIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

/// Operators that have their identities and one definition, each a copy of its own, accepted.
struct Founders {
    directory: TempDir,
    n: usize,
    running: Vec<Option<Child>>,
}

impl Founders {
    fn new(n: usize, kdf: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let founders = Self { directory, n, running: (0..n).map(|_| None).collect() };
        fs::write(founders.passphrase(), PASSPHRASE).expect("written");
        fs::set_permissions(founders.passphrase(), fs::Permissions::from_mode(0o600)).expect("own file");
        // Bound all at once, so that they differ.
        let sockets: Vec<_> = (0..n).map(|_| UdpSocket::bind("127.0.0.1:0").expect("a free port")).collect();
        for (index, socket) in sockets.iter().enumerate() {
            let (name, address) = (format!("founder-{index}"), socket.local_addr().expect("bound").to_string());
            let home = founders.home(index);
            founders.must(&["keys", "new", "--name", &name, "--address", &address, "--kdf", kdf], &home, true);
        }
        drop(sockets);
        let definition = founders.directory.path().join("definition.json");
        let mut define = vec!["cluster", "define", "--name", "test", "--devnet-genesis", "--chain-id", "31337"];
        let homes: Vec<_> = (0..n).map(|index| founders.home(index)).collect();
        homes.iter().for_each(|home| define.extend(["--operator", path(home)]));
        define.extend(["--out", path(&definition)]);
        let defined = run(&define);
        assert!(defined.status.success(), "{}", said(&defined));
        for index in 0..n {
            fs::copy(&definition, founders.definition(index)).expect("copied");
            founders.accept(index);
        }
        founders
    }

    fn home(&self, index: usize) -> PathBuf {
        self.directory.path().join(format!("founder-{index}"))
    }

    fn passphrase(&self) -> PathBuf {
        self.directory.path().join("passphrase")
    }

    fn definition(&self, index: usize) -> PathBuf {
        self.home(index).join("definition.json")
    }

    fn log(&self, index: usize) -> PathBuf {
        self.home(index).join("log")
    }

    /// Runs a command for one operator; it must succeed.
    fn must(&self, command: &[&str], home: &Path, passphrase: bool) {
        let secret = self.passphrase();
        let mut args = [command, &["--dir", path(home)]].concat();
        if passphrase {
            args.extend(["--passphrase-file", path(&secret)]);
        }
        let done = run(&args);
        assert!(done.status.success(), "{args:?}: {}", said(&done));
    }

    fn accept(&self, index: usize) {
        let definition = self.definition(index);
        self.must(&["cluster", "accept", "--yes", "--definition", path(&definition)], &self.home(index), true);
    }

    /// Starts an operator's part in the ceremony.
    fn dkg(&mut self, index: usize) {
        let home = self.home(index);
        let log = File::options().create(true).append(true).open(self.log(index)).expect("a log");
        let child = phalanx()
            .args(["dkg", "--definition", path(&self.definition(index)), "--dir", path(&home)])
            .args(["--passphrase-file", path(&self.passphrase())])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the program can be started");
        self.running[index] = Some(child);
    }

    fn kill(&mut self, index: usize) {
        let mut child = self.running[index].take().expect("it runs");
        child.kill().expect("it can be killed");
        child.wait().expect("it can be waited for");
    }

    fn said(&self, index: usize) -> String {
        fs::read_to_string(self.log(index)).unwrap_or_default()
    }

    fn all_said(&self) -> String {
        (0..self.n).map(|index| format!("--- {index}\n{}\n", self.said(index))).collect()
    }

    fn until(&self, what: &str, wait: Duration, mut condition: impl FnMut() -> bool) {
        let start = Instant::now();
        while !condition() {
            assert!(start.elapsed() < wait, "not within {wait:?}: {what}\n{}", self.all_said());
            std::thread::sleep(POLL);
        }
    }

    fn until_said(&self, index: usize, words: &str) {
        self.until(words, CEREMONY_WAIT, || self.said(index).contains(words));
    }

    /// Waits until every ceremony has ended; whether each was a success.
    fn ends(&mut self) -> Vec<bool> {
        let start = Instant::now();
        let mut children: Vec<_> = self.running.iter_mut().map(Option::take).collect();
        let mut ended = vec![None; self.n];
        while ended.iter().any(Option::is_none) {
            for (child, ended) in children.iter_mut().zip(&mut ended) {
                let child = child.as_mut().expect("it was started");
                *ended = child.try_wait().expect("it can be waited for").map(|status| status.success());
            }
            if start.elapsed() > CEREMONY_WAIT {
                children.iter_mut().flatten().for_each(|child| drop(child.kill()));
                panic!("the ceremony does not end\n{}", self.all_said());
            }
            std::thread::sleep(POLL);
        }
        ended.into_iter().flatten().collect()
    }

    fn all_finish(&mut self) {
        let ends = self.ends();
        assert!(ends.iter().all(|success| *success), "{ends:?}\n{}", self.all_said());
        let cluster = |index| fs::read_to_string(self.home(index).join("cluster.json")).expect("a cluster file");
        let first = cluster(0);
        let json: Value = serde_json::from_str(&first).expect("JSON");
        assert_eq!(json["attestation"]["operators"].as_array().map(Vec::len), Some(self.n), "signed by all");
        for index in 0..self.n {
            assert_eq!(cluster(index), first, "the same at every operator");
            let share = self.home(index).join("share.json");
            assert_eq!(fs::metadata(&share).expect("a share").permissions().mode() & 0o777, 0o600);
            let keystore: Value = serde_json::from_slice(&fs::read(&share).expect("a share")).expect("JSON");
            assert_eq!(keystore["version"], 4, "an EIP-2335 keystore");
        }
    }

    /// What `phalanx run` says when it does not start.
    fn refusal(&self, index: usize, flags: &[&str]) -> String {
        let (config, secret) = (self.home(index).join("config.toml"), self.passphrase());
        let run_it = ["run", "--config", path(&config), "--passphrase-file", path(&secret)];
        let local = ["--rpc-address", "127.0.0.1:0", "--metrics-address", "127.0.0.1:0", "--stop-with-parent"];
        // It would end at once by itself: what this is called for is that it does not start.
        let done = run(&[&run_it[..], &local, flags].concat());
        assert!(!done.status.success(), "{}", said(&done));
        said(&done)
    }

    /// Starts every operator with what the ceremony left; where each answers.
    fn run(&mut self, flags: &[&str]) -> Vec<String> {
        let free = || TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("bound").to_string();
        let mut urls = Vec::new();
        for index in 0..self.n {
            let (rpc, metrics) = (free(), free());
            let log = File::options().append(true).open(self.log(index)).expect("a log");
            let child = phalanx()
                .args(["run", "--config", path(&self.home(index).join("config.toml"))])
                .args(["--passphrase-file", path(&self.passphrase())])
                .args(["--rpc-address", &rpc, "--metrics-address", &metrics])
                .args(flags)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(log)
                .spawn()
                .expect("the program can be started");
            self.running[index] = Some(child);
            urls.push(format!("http://{rpc}"));
        }
        urls
    }

    async fn reach(&self, urls: &[String], height: u64) {
        for url in urls {
            let rpc = RpcClient::new(url).expect("a URL");
            let start = Instant::now();
            loop {
                let status = rpc.call::<ClusterStatus>("seq_clusterStatus", &[]).await;
                if status.is_ok_and(|status| status.heights.finalized >= height) {
                    break;
                }
                assert!(start.elapsed() < BLOCKS_WAIT, "{url} does not reach {height}\n{}", self.all_said());
                tokio::time::sleep(POLL).await;
            }
        }
    }
}

impl Drop for Founders {
    fn drop(&mut self) {
        for child in self.running.iter_mut().flatten() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

fn bar(what: &str, measured: Duration, bar: Duration) {
    let verdict = if measured <= bar { "met" } else { "MISSED" };
    println!("BAR | {what} | {:.1} s | at most {} s | {verdict}", measured.as_secs_f64(), bar.as_secs());
}

async fn verify(founders: &Founders, url: &str, to: u64) -> Output {
    let cluster = founders.home(1).join("cluster.json");
    let to = to.to_string();
    let (url, cluster) = (url.to_owned(), path(&cluster).to_owned());
    tokio::task::spawn_blocking(move || {
        run(&["verify", "--cluster", &cluster, "--rpc", &url, "--from", "1", "--to", &to])
    })
    .await
    .expect("it does not panic")
}

/// The main way: a ceremony of four, and the chain that they then run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_operators_make_a_key_and_run_with_it() {
    let mut founders = Founders::new(4, "scrypt");
    let start = Instant::now();
    (0..4).for_each(|index| founders.dkg(index));
    founders.all_finish();
    bar("ceremony of 4 real processes", start.elapsed(), Duration::from_secs(10));

    let urls = founders.run(&[]);
    founders.reach(&urls, 5).await;
    let verified = verify(&founders, &urls[2], 5).await;
    assert!(verified.status.success(), "{}", said(&verified));

    // The same file with another name for an operator is what nobody has signed.
    let file = founders.home(1).join("cluster.json");
    let changed = fs::read_to_string(&file).expect("a cluster file").replace("founder-2", "mallory");
    fs::write(&file, changed).expect("written");
    let refused = verify(&founders, &urls[2], 5).await;
    assert!(!refused.status.success() && said(&refused).contains("founder-0"), "{}", said(&refused));
}

/// Killed at any time, absent for a while: the ceremony waits, says for whom, and goes on.
#[test]
fn a_ceremony_waits_and_goes_on_after_a_restart() {
    let mut founders = Founders::new(4, "pbkdf2");
    (0..3).for_each(|index| founders.dkg(index));
    for index in 0..3 {
        founders.until_said(index, "waiting for the acceptance of operator 3 (founder-3), who is not connected");
    }
    founders.kill(1);
    founders.dkg(3);
    founders.until_said(3, "waiting for the acceptance of operator 1 (founder-1), who is not connected");
    founders.dkg(1);
    for index in [2, 0] {
        founders.until_said(index, "waiting for a hash of its dealing");
        founders.kill(index);
        founders.dkg(index);
    }
    founders.all_finish();
    // Whoever has finished comes back to the same end, for whoever may need it.
    (0..4).for_each(|index| founders.dkg(index));
    founders.all_finish();
}

/// One field differs in one file: named to both, and nobody makes a key.
#[test]
fn a_difference_between_two_definitions_is_named_and_stops_the_ceremony() {
    let mut founders = Founders::new(4, "pbkdf2");
    let definition = founders.definition(2);
    let mut json: Value = serde_json::from_slice(&fs::read(&definition).expect("there")).expect("JSON");
    json["blockTimeMs"] = 250.into();
    let changed = json.to_string();
    fs::write(&definition, &changed).expect("written");
    founders.dkg(2);
    founders.until_said(2, "the signature of operator 2 (founder-2) does not verify");
    json["acceptances"] = Value::Array(Vec::new());
    fs::write(&definition, json.to_string()).expect("written");
    founders.kill(2);
    founders.dkg(2);
    founders.until_said(2, "phalanx cluster accept");
    founders.kill(2);
    founders.accept(2);
    (0..4).for_each(|index| founders.dkg(index));
    assert_eq!(founders.ends(), [false; 4], "{}", founders.all_said());
    for index in 0..4 {
        let text = founders.said(index);
        let (here, there) = if index == 2 { (250, 100) } else { (100, 250) };
        assert!(text.contains(&format!("blockTimeMs: here {here}, there {there}")), "{text}");
        assert!(!founders.home(index).join("share.json").exists());
        assert!(!founders.home(index).join("cluster.json").exists());
    }
    assert!(founders.said(0).contains("operator 2 (founder-2) is not the one here"));
}

/// One operator needs nobody: the same commands, the same files. Its share votes with its journal, or when it is
/// told in words that it may.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_operator_makes_a_cluster_alone_and_needs_its_journal() {
    const WORDS: &str = "no other process votes with this share, and the cluster has gone on since it last voted";
    let mut founders = Founders::new(1, "pbkdf2");
    founders.dkg(0);
    founders.all_finish();
    let home = founders.home(0);
    assert!(home.join("share.json.unused").exists());
    let urls = founders.run(&[]);
    founders.reach(&urls, 5).await;
    assert!(!home.join("share.json.unused").exists(), "it has voted");
    founders.kill(0);

    // As on a new machine, with a backup of the keys; also at the second attempt, and of a share from the log.
    fs::remove_dir_all(home.join("data")).expect("removed");
    for _ in 0..2 {
        let refused = founders.refusal(0, &[]);
        assert!(refused.contains("--without-journal"), "{refused}");
    }
    fs::remove_file(home.join("share.json")).expect("removed");
    founders.dkg(0);
    founders.all_finish();
    assert!(founders.refusal(0, &[]).contains("--without-journal"));
    let misspelt = founders.refusal(0, &["--without-journal", "yes"]);
    assert!(misspelt.contains(WORDS), "{misspelt}");
    let urls = founders.run(&["--without-journal", WORDS]);
    founders.reach(&urls, 5).await;
}

/// `.ci/full ceremony_of_sixteen`
#[test]
#[ignore = "a longer bar"]
fn ceremony_of_sixteen() {
    let mut founders = Founders::new(16, "pbkdf2");
    let start = Instant::now();
    (0..16).for_each(|index| founders.dkg(index));
    founders.all_finish();
    bar("ceremony of 16 real processes", start.elapsed(), Duration::from_secs(30));
}
