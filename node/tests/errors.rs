//! What goes wrong before anything runs: each error says what, where, and what to do.

#[path = "harness/devnet.rs"]
mod harness;

use harness::{run, said};
use phalanx_node::cli::PidFile;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;

/// A devnet's directory whose operators are not running: it is made, and fails to start on a port in use.
struct Made {
    directory: tempfile::TempDir,
    refusal: Output,
    _taken: std::net::TcpListener,
}

/// Four ports in a row of which the third is taken after the others were seen free.
fn make() -> Made {
    let directory = tempfile::tempdir().expect("a directory");
    let started = run(&["devnet", "--dir", &directory.path().display().to_string(), "--rpc-port", "0", "--for", "0s"]);
    assert!(directory.path().join("cluster.json").exists(), "{}", said(&started));
    let config = read(&directory.path().join("operator-2/config.toml"));
    let line = config.lines().find(|line| line.starts_with("rpc_address")).expect("a line");
    let address = line.split('"').nth(1).expect("an address");
    let taken = std::net::TcpListener::bind(address).expect("the devnet has ended");
    let refusal = run(&["devnet", "--dir", &directory.path().display().to_string()]);
    Made { directory, refusal, _taken: taken }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("a file")
}

impl Made {
    fn operator(&self, file: &str) -> PathBuf {
        self.directory.path().join("operator-1").join(file)
    }

    fn run(&self, flags: &[&str]) -> Output {
        let config = self.operator("config.toml").display().to_string();
        run(&[&["run", "--config", &config], flags].concat())
    }
}

fn refused(output: &Output, words: &[&str]) {
    let text = said(output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    for word in words {
        assert!(text.contains(word), "\"{word}\" is missing in: {text}");
    }
}

#[test]
fn errors_say_what_where_and_what_to_do() {
    let made = make();
    refused(&made.refusal, &["operator 2", "not free", "stop whoever listens there"]);

    let config = made.operator("config.toml");
    let good = read(&config);
    std::fs::write(&config, format!("{good}\npipline_depth = 3\n")).expect("written");
    let line = good.lines().count() + 2;
    refused(&made.run(&[]), &[&format!("line {line}"), "`pipline_depth`", "did you mean `pipeline_depth`"]);
    std::fs::write(&config, &good).expect("written");
    refused(&made.run(&["--pipeline-depth", "many"]), &["`pipeline_depth`", "--pipeline-depth", "many"]);
    refused(&run(&["run", "--config", "nowhere.toml"]), &["settings file nowhere.toml", "No such file"]);

    let share = made.operator("share.json");
    std::fs::set_permissions(&share, std::fs::Permissions::from_mode(0o644)).expect("own file");
    refused(&made.run(&[]), &["can be read by others", "chmod 600", &share.display().to_string()]);
    std::fs::set_permissions(&share, std::fs::Permissions::from_mode(0o600)).expect("own file");
    let other = made.directory.path().join("operator-0/share.json").display().to_string();
    refused(&made.run(&["--share-key-file", &other]), &["operator 0", "operator 1", "use the share"]);

    let held = PidFile::claim(&made.operator("pid")).expect("nobody runs it");
    refused(&made.run(&[]), &["running already", &std::process::id().to_string(), "stop the other first"]);
    drop(held);
}

#[test]
fn a_wrong_cluster_file_is_refused() {
    let made = make();
    let path = made.directory.path().join("cluster.json");
    let good = read(&path);
    std::fs::write(&path, good.replace("\"slotsPerTerm\": 50", "\"slotsPerTerm\": 51")).expect("written");
    refused(&made.run(&[]), &["clusterId", "cluster.json"]);
    std::fs::write(&path, &good[..good.len() / 2]).expect("written");
    refused(&made.run(&[]), &["malformed", "line"]);
    let other = make();
    let foreign = other.directory.path().join("cluster.json").display().to_string();
    refused(&made.run(&["--cluster-file", &foreign]), &["no operator of this cluster", "identity.json"]);
    refused(&run(&["verify", "--cluster", &path.display().to_string(), "x.json"]), &["malformed"]);
    std::fs::write(&path, &good).expect("written");
    refused(&run(&["verify", "--cluster", &path.display().to_string(), "x.json"]), &["x.json"]);
}

#[test]
fn an_unreachable_operator_is_named() {
    let nobody = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        format!("http://{}", listener.local_addr().expect("bound"))
    };
    for command in [vec!["status", "--rpc", &nobody], vec!["bench", "--rpc", &nobody, "--for", "1s"]] {
        refused(&run(&command), &["cannot reach", &nobody, "phalanx devnet"]);
    }
    refused(&run(&["status", "--rpc", "localhost:8545"]), &["no HTTP URL", "http://127.0.0.1:8545"]);
}

#[test]
fn the_documented_defaults_are_a_settings_file() {
    let printed = run(&["config"]);
    assert!(printed.status.success());
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("config.toml");
    std::fs::write(&path, &printed.stdout).expect("written");
    let effective = run(&["config", "--config", &path.display().to_string()]);
    assert!(effective.status.success(), "{}", said(&effective));
    assert!(said(&effective).contains("from the default (PHALANX_RPC_ADDRESS, --rpc-address)"));
}
