//! A devnet of real processes for tests: started through the built binary, spoken to as a client would,
//! and always cleaned up, also when a test panics.
//!
//! Everything waits for a condition with a deadline; nothing sleeps and hopes.
#![allow(dead_code, reason = "each test target uses a part of it")]

use alloy_consensus::{SignableTransaction, TxEip1559, TxEnvelope};
use alloy_eips::eip2718::Encodable2718;
use alloy_network::TxSignerSync;
use alloy_primitives::{Address, B256, Bytes, TxKind, U64, U256};
use alloy_signer_local::PrivateKeySigner;
use phalanx_node::cli::{PidFile, RpcClient};
use phalanx_node::rpc::types::ClusterStatus;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a devnet may take to be ready.
const READY_WAIT: Duration = Duration::from_secs(60);
/// How long a devnet may take to end when asked.
const STOP_WAIT: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(10);
/// A request to an operator that may be dead.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);
/// What a transfer of a test pays at most. Unit: wei per gas.
const FEE_WEI: u128 = 20_000_000_000;

/// The program under test.
pub(crate) fn phalanx() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_phalanx"));
    // The settings of whoever runs the tests are not those of the test.
    let foreign: Vec<_> = std::env::vars_os()
        .map(|(name, _)| name)
        .filter(|name| name.to_str().is_some_and(|name| name.starts_with("PHALANX_")))
        .collect();
    for name in foreign {
        command.env_remove(name);
    }
    command
}

/// Runs the program to its end.
pub(crate) fn run(args: &[&str]) -> Output {
    phalanx().args(args).stdin(Stdio::null()).output().expect("the program can be started")
}

/// Both streams of a program's output, for messages.
pub(crate) fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// One operator, as the devnet announced it.
#[derive(Clone, Debug)]
pub(crate) struct Operator {
    pub(crate) rpc: RpcClient,
    pub(crate) url: String,
    pub(crate) metrics: String,
    pub(crate) config: PathBuf,
    pub(crate) pid_file: PathBuf,
    pub(crate) log: PathBuf,
}

impl Operator {
    /// The process that runs it now.
    pub(crate) fn pid(&self) -> Option<u32> {
        PidFile::holder(&self.pid_file)
    }

    /// `kill -9`; returns when the process is gone.
    pub(crate) fn kill(&self) {
        let pid = self.pid().expect("the operator runs");
        signal(pid, Signal::KILL);
        let deadline = Instant::now() + STOP_WAIT;
        while self.pid() == Some(pid) {
            assert!(Instant::now() < deadline, "operator {} outlives SIGKILL", self.url);
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    pub(crate) async fn status(&self) -> Option<ClusterStatus> {
        self.rpc.call("seq_clusterStatus", &[]).await.ok()
    }
}

fn signal(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a process id");
    // An error says that it is gone already.
    let _ = kill_process(pid, signal);
}

/// A running devnet. Dropping it ends every process of it.
pub(crate) struct Devnet {
    pub(crate) directory: TempDir,
    pub(crate) cluster: PathBuf,
    pub(crate) chain_id: u64,
    pub(crate) operators: Vec<Operator>,
    pub(crate) accounts: Vec<PrivateKeySigner>,
    child: Child,
    lines: Receiver<Value>,
    /// Operators that were restarted by hand.
    restarted: Vec<Child>,
}

impl Devnet {
    /// Starts one with these flags on free ports and waits until it is ready.
    pub(crate) fn start(flags: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        Self::start_in(directory, flags)
    }

    fn start_in(directory: TempDir, flags: &[&str]) -> Self {
        let mut child = phalanx()
            .args(["devnet", "--json", "--rpc-port", "0", "--dir"])
            .arg(directory.path())
            .args(flags)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program can be started");
        let output = child.stdout.take().expect("it is piped");
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let value = serde_json::from_str(&line).unwrap_or_else(|_| json!({ "type": "text", "text": line }));
                if sender.send(value).is_err() {
                    return;
                }
            }
        });
        let mut devnet = Self {
            cluster: directory.path().join("cluster.json"),
            directory,
            chain_id: 0,
            operators: Vec::new(),
            accounts: Vec::new(),
            child,
            lines,
            restarted: Vec::new(),
        };
        let ready = devnet.expect_line("ready", READY_WAIT);
        devnet.chain_id = ready["chainId"].as_u64().expect("a chain id");
        devnet.operators = ready["operators"].as_array().expect("operators").iter().map(operator).collect();
        devnet.accounts = ready["accounts"].as_array().expect("accounts").iter().map(account).collect();
        devnet
    }

    /// The next line of a type.
    pub(crate) fn expect_line(&self, kind: &str, wait: Duration) -> Value {
        let deadline = Instant::now() + wait;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) if line["type"] == kind => return line,
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => panic!("no \"{kind}\" line within {wait:?}\n{}", self.logs()),
                Err(RecvTimeoutError::Disconnected) => panic!("the devnet ended before \"{kind}\"\n{}", self.logs()),
            }
        }
    }

    /// The ends of the operators' logs.
    pub(crate) fn logs(&self) -> String {
        let tail = |path: &Path| {
            let text = std::fs::read(path).unwrap_or_default();
            String::from_utf8_lossy(&text[text.len().saturating_sub(3_000)..]).into_owned()
        };
        let logs = (0..64).map(|index| self.directory.path().join(format!("operator-{index}/log")));
        let logs = logs.filter(|path| path.exists());
        logs.map(|path| format!("--- {}\n{}\n", path.display(), tail(&path))).collect()
    }

    /// Restarts an operator as its manual says.
    pub(crate) fn restart(&mut self, index: usize) {
        let log = std::fs::OpenOptions::new().append(true).open(&self.operators[index].log).expect("a log");
        let child = phalanx()
            .args(["run", "--config"])
            .arg(&self.operators[index].config)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .expect("the program can be started");
        self.restarted.push(child);
    }

    /// Waits until `condition` gives something; asked again and again until the deadline.
    pub(crate) async fn until<T, F: Future<Output = Option<T>>>(
        &self,
        what: &str,
        wait: Duration,
        mut condition: impl FnMut() -> F,
    ) -> T {
        let start = Instant::now();
        loop {
            if let Some(value) = condition().await {
                return value;
            }
            assert!(start.elapsed() < wait, "not within {wait:?}: {what}\n{}", self.logs());
            tokio::time::sleep(POLL).await;
        }
    }

    /// The highest final block that any operator of these shows.
    pub(crate) async fn finalized(&self, operators: &[usize]) -> u64 {
        let mut highest = 0;
        for index in operators {
            if let Some(status) = self.operators[*index].status().await {
                highest = highest.max(status.heights.finalized);
            }
        }
        highest
    }

    /// Waits until each of these operators has finalized `height`.
    pub(crate) async fn reach(&self, operators: &[usize], height: u64, wait: Duration) {
        for index in operators {
            let operator = &self.operators[*index];
            self.until(&format!("operator {index} finalizes block {height}"), wait, || async {
                operator.status().await.filter(|status| status.heights.finalized >= height)
            })
            .await;
        }
    }

    /// A signed transfer of one wei.
    pub(crate) fn transfer(&self, from: usize, nonce: u64) -> (B256, Bytes) {
        let mut transaction = TxEip1559 {
            chain_id: self.chain_id,
            nonce,
            gas_limit: 21_000,
            max_fee_per_gas: FEE_WEI,
            max_priority_fee_per_gas: 1_000_000_000,
            to: TxKind::Call(Address::repeat_byte(0x42)),
            value: U256::ONE,
            ..TxEip1559::default()
        };
        let signature = self.accounts[from].sign_transaction_sync(&mut transaction).expect("signing works");
        let envelope = TxEnvelope::Eip1559(transaction.into_signed(signature));
        (*envelope.hash(), envelope.encoded_2718().into())
    }

    /// Hands a transaction to an operator; its hash when it was accepted.
    pub(crate) async fn send(&self, operator: usize, raw: &Bytes) -> anyhow::Result<B256> {
        self.operators[operator].rpc.call("eth_sendRawTransaction", &[json!(raw)]).await
    }

    /// Waits until an operator shows the receipt of each; they must have succeeded.
    pub(crate) async fn receipts(&self, operator: usize, hashes: &[B256], wait: Duration) -> Vec<Value> {
        let mut receipts = Vec::new();
        for hash in hashes {
            let rpc = &self.operators[operator].rpc;
            let receipt = self
                .until(&format!("operator {operator} has the receipt of {hash}"), wait, || async {
                    let answer = rpc.call::<Value>("eth_getTransactionReceipt", &[json!(hash)]).await.ok()?;
                    answer.is_object().then_some(answer)
                })
                .await;
            assert_eq!(receipt["status"], "0x1", "{receipt}");
            receipts.push(receipt);
        }
        receipts
    }

    pub(crate) async fn nonce(&self, operator: usize, account: usize) -> u64 {
        let address = self.accounts[account].address();
        let params = [json!(address), json!("latest")];
        let nonce: U64 = self.operators[operator].rpc.call("eth_getTransactionCount", &params).await.expect("a nonce");
        nonce.to()
    }

    /// Asks the devnet to end and waits for it.
    pub(crate) fn stop(mut self) -> (ExitStatus, Value) {
        signal(self.child.id(), Signal::TERM);
        let summary = self.expect_line("summary", STOP_WAIT);
        let status = self.child.wait().expect("it can be waited for");
        (status, summary)
    }
}

impl Drop for Devnet {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            signal(self.child.id(), Signal::TERM);
            let deadline = Instant::now() + STOP_WAIT;
            while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
                std::thread::sleep(POLL);
            }
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        for child in &mut self.restarted {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn operator(value: &Value) -> Operator {
    let text = |field: &str| value[field].as_str().expect("a text").to_owned();
    Operator {
        rpc: RpcClient::with_timeout(&text("rpc"), REQUEST_TIMEOUT).expect("a URL"),
        url: text("rpc"),
        metrics: text("metrics"),
        config: text("config").into(),
        pid_file: text("pid").into(),
        log: text("log").into(),
    }
}

fn account(value: &Value) -> PrivateKeySigner {
    value["privateKey"].as_str().expect("a key").parse().expect("a key")
}
