//! The settings of one operator: the one table from which the reader, the template, the environment
//! variables and the flags are made.
//!
//! Nothing in here is agreed with the other operators: what must be the same for all is in the cluster
//! file.

use super::setting::Setting;
use super::value::{BlsBackend, Given, LogFormat, OptionalPath, Value};
use alloy_primitives::Address;
use core::time::Duration;
use phalanx_types::OPERATORS_MAX;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Makes the struct of settings and the table of their keys, so that neither can lack a key of the other.
macro_rules! settings {
    ($($section:literal { $($(#[doc = $doc:literal])+ $key:ident: $type:ty = $default:literal;)+ })+) => {
        /// One operator's settings, complete and within their bounds.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct OperatorConfig {
            $($($(#[doc = $doc])+ pub $key: $type,)+)+
        }

        /// Every key, in the order in which they are documented.
        pub const SETTINGS: &[Setting] = &[
            $($(Setting {
                key: stringify!($key),
                section: $section,
                doc: &[$($doc),+],
                default: $default,
                assign: |config, given, base| {
                    config.$key = <$type as Value>::read(given, base)?;
                    Ok(())
                },
                show: |config| config.$key.show(),
            },)+)+
        ];

        impl OperatorConfig {
            /// The defaults; relative paths start at `base`.
            #[must_use]
            pub fn defaults(base: &Path) -> Self {
                Self {
                    $($($key: <$type as Value>::read(&Given::Text($default), base)
                        .expect("the table holds a readable default; a test reads them all"),)+)+
                }
            }
        }
    };
}

settings! {
    "Files" {
        /// The public cluster file, the same for every operator.
        cluster_file: PathBuf = "cluster.json";
        /// Where this operator keeps its journal, its blocks and the lock that lets only one process use them.
        /// A restored or copied directory must never run twice: the journal is what stops a second vote.
        data_dir: PathBuf = "data";
        /// Where the process id is written and locked for as long as the operator runs.
        pid_file: PathBuf = "pid";
        /// The identity key (Ed25519). Only its owner may be able to read the file (chmod 600).
        identity_key_file: PathBuf = "identity.json";
        /// This operator's share of the cluster's BLS key. Only its owner may be able to read the file (chmod 600).
        share_key_file: PathBuf = "share.json";
        /// A file that holds the passphrase of both keys, and that only its owner may read (chmod 600). Empty: the
        /// environment variable PHALANX_PASSPHRASE, else whoever starts it at a terminal is asked.
        passphrase_file: OptionalPath = "";
    }
    "Addresses" {
        /// Where the other operators reach this one over QUIC (UDP): the address to bind, which may differ from
        /// the public one in the cluster file.
        listen_address: SocketAddr = "0.0.0.0:9000";
        /// Where clients reach the JSON-RPC server, by HTTP and WebSocket.
        rpc_address: SocketAddr = "127.0.0.1:8545";
        /// Where /metrics (Prometheus), /livez and /readyz are served. Not meant for the public.
        metrics_address: SocketAddr = "127.0.0.1:9090";
    }
    "Logs" {
        /// What is logged: error, warn, info, debug, trace, or directives such as "info,phalanx_node::net=debug".
        log_level: String = "info";
        /// human (lines for people) or json (one object a line).
        log_format: LogFormat = "human";
    }
    "Consensus (local; block time, slots per term and the operators stand in the cluster file)" {
        /// How many slots above the highest notarized one this operator proposes and votes, at least 1. More
        /// keeps the block rate up over slow links; less lets a leader run less far ahead.
        pipeline_depth: u32 = "8";
        /// How long a term may make no progress before this operator leaves it, beyond the block time. Must
        /// exceed a few message delays between the operators. The first value of a timeout that grows with
        /// each failed term.
        progress_timeout_min: Duration = "250ms";
        /// The largest that the progress timeout grows to.
        progress_timeout_max: Duration = "10s";
        /// How long a notarized block may wait to become final before this operator leaves the term.
        finality_lag_min: Duration = "1s";
        /// The largest that the finality bound grows to.
        finality_lag_max: Duration = "20s";
        /// How soon votes and certificates are sent again while a term makes no progress.
        resend_interval_min: Duration = "200ms";
        /// The largest interval between two re-sends.
        resend_interval_max: Duration = "2s";
        /// In a cluster of more operators than this, votes for blocks go to the leader and a few operators after
        /// it, who spread the certificates, instead of to everyone: far fewer messages, for two more message
        /// delays. Should be the same at every operator; where it is not, only messages are wasted.
        collectors_above: usize = "64";
        /// How many operators after the leader collect votes then, at least 1. More than a third of the operators
        /// makes sure that an honest one is among them in every term; a few are enough to do without a dead one.
        collectors_count: usize = "4";
    }
    "Execution" {
        /// The gas limit of the blocks that this operator builds; from block to block it moves towards this by
        /// 1/1024 at most, as on Ethereum.
        gas_limit: u64 = "30_000_000";
        /// Who receives the priority fees of the blocks that this operator builds.
        beneficiary: Address = "0x0000000000000000000000000000000000000000";
        /// The most bytes of transactions in a block that this operator builds.
        block_bytes_max: usize = "1_000_000";
    }
    "Mempool" {
        /// The most transactions that are held.
        mempool_transactions_max: usize = "50_000";
        /// The most bytes of transactions that are held.
        mempool_bytes_max: usize = "67_108_864";
        /// The most transactions that are held of one sender.
        mempool_transactions_per_sender_max: usize = "256";
        /// How far above the sender's next nonce a transaction may be. Unit: nonces.
        mempool_nonce_gap_max: u64 = "256";
    }
    "Cryptography" {
        /// Which BLS12-381 backend does the curve work: auto (the fastest that this processor runs), blst or ifma.
        bls_backend: BlsBackend = "auto";
    }
}

/// The timeouts of consensus, for one block time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// The progress timeout at rest.
    pub progress_min: Duration,
    /// Its upper bound.
    pub progress_max: Duration,
    /// The finality bound at rest.
    pub finality_min: Duration,
    /// Its upper bound.
    pub finality_max: Duration,
    /// The first interval of re-sending.
    pub resend_min: Duration,
    /// The largest.
    pub resend_max: Duration,
}

impl OperatorConfig {
    /// The timeouts for a cluster with this block time: a healthy leader is silent for one block time, so
    /// it is added wherever silence is counted.
    #[must_use]
    pub fn timeouts(&self, block_time: Duration) -> Timeouts {
        Timeouts {
            progress_min: self.progress_timeout_min + block_time,
            progress_max: self.progress_timeout_max + block_time,
            finality_min: self.finality_lag_min + block_time,
            finality_max: self.finality_lag_max + block_time,
            resend_min: self.resend_interval_min,
            resend_max: self.resend_interval_max,
        }
    }

    /// Refuses settings that contradict each other, with a sentence that names the keys.
    pub(super) fn check(&self) -> Result<(), String> {
        let ordered = [
            ("progress_timeout_min", self.progress_timeout_min, "progress_timeout_max", self.progress_timeout_max),
            ("finality_lag_min", self.finality_lag_min, "finality_lag_max", self.finality_lag_max),
            ("resend_interval_min", self.resend_interval_min, "resend_interval_max", self.resend_interval_max),
        ];
        for (low, low_value, high, high_value) in ordered {
            if low_value.is_zero() {
                return Err(format!("`{low}` must be above zero"));
            }
            if low_value > high_value {
                return Err(format!("`{low}` ({}) is above `{high}` ({})", low_value.show(), high_value.show()));
            }
        }
        if self.collectors_count > OPERATORS_MAX {
            return Err(format!("`collectors_count` must be at most {OPERATORS_MAX}, the largest cluster"));
        }
        let positive = [
            ("pipeline_depth", u64::from(self.pipeline_depth)),
            ("collectors_count", self.collectors_count as u64),
            ("gas_limit", self.gas_limit),
            ("block_bytes_max", self.block_bytes_max as u64),
            ("mempool_transactions_max", self.mempool_transactions_max as u64),
            ("mempool_bytes_max", self.mempool_bytes_max as u64),
            ("mempool_transactions_per_sender_max", self.mempool_transactions_per_sender_max as u64),
        ];
        match positive.iter().find(|(_, value)| *value == 0) {
            Some((key, _)) => Err(format!("`{key}` must be at least 1")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_readable_and_consistent() {
        let defaults = OperatorConfig::defaults(Path::new(""));
        assert_eq!(defaults.check(), Ok(()));
    }

    #[test]
    fn keys_are_unique() {
        let mut keys: Vec<_> = SETTINGS.iter().map(|setting| setting.key).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), SETTINGS.len());
    }

    #[test]
    fn contradictions_name_their_keys() {
        let mut config = OperatorConfig::defaults(Path::new(""));
        config.progress_timeout_min = Duration::from_secs(60);
        let refusal = config.check().expect_err("above its upper bound");
        assert!(refusal.contains("progress_timeout_min") && refusal.contains("progress_timeout_max"), "{refusal}");
        let mut config = OperatorConfig::defaults(Path::new(""));
        config.pipeline_depth = 0;
        assert!(config.check().expect_err("no depth").contains("pipeline_depth"));
        let mut config = OperatorConfig::defaults(Path::new(""));
        for wrong in [0, OPERATORS_MAX + 1] {
            config.collectors_count = wrong;
            assert!(config.check().expect_err("no collectors, or too many").contains("collectors_count"));
        }
        config.collectors_count = 1;
        assert_eq!(config.check(), Ok(()));
    }

    #[test]
    fn a_leader_may_be_silent_for_a_block_time() {
        let config = OperatorConfig::defaults(Path::new(""));
        let block_time = Duration::from_secs(12);
        assert!(config.timeouts(block_time).progress_min > block_time);
    }
}
