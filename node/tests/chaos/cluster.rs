//! The cluster on disk: keys from a dealer, one directory for each operator, and a file system of its own, small
//! enough to be filled, under its data.

use crate::command::run_line;
use crate::network::{control_address, mesh_address};
use alloy_primitives::{Address, B256, FixedBytes, U256};
use alloy_signer_local::PrivateKeySigner;
use anyhow::Context;
use phalanx_node::config::{ClusterDefinition, ClusterFile, OperatorRecord, template};
use phalanx_node::execution::{Genesis, devnet_genesis};
use phalanx_node::keys::{write_identity, write_share};
use phalanx_threshold::{Identity, deal};
use phalanx_types::ClusterSize;
use std::fs;
use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// The size of the file system under an operator's data.
const DATA_MEGABYTES: u32 = 192;
const CHAIN_ID: u64 = 31_337;
const RPC_PORT: u16 = 8_545;
const METRICS_PORT: u16 = 9_090;
/// What every sender owns at the start. Unit: wei.
const BALANCE_WEI: u128 = 1_000 * 10_u128.pow(18);

/// The cluster that the suite runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) operators: u8,
    pub(crate) slots_per_term: u32,
    pub(crate) block_time_ms: u64,
}

/// Where one operator's files are.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) index: u8,
    pub(crate) home: PathBuf,
    pub(crate) rpc: SocketAddrV4,
}

impl Place {
    pub(crate) fn config(&self) -> PathBuf {
        self.home.join("config.toml")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.home.join("log")
    }

    pub(crate) fn pid_file(&self) -> PathBuf {
        self.home.join("pid")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.home.join("data")
    }

    /// Every segment that the vote journal ever had, under the order in which it came.
    pub(crate) fn archive(&self) -> PathBuf {
        self.data().join("archive")
    }

    /// What fills the disk.
    pub(crate) fn ballast(&self) -> PathBuf {
        self.data().join("ballast")
    }
}

/// A cluster's files.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    pub(crate) cluster: ClusterFile,
    pub(crate) places: Vec<Place>,
}

/// Makes a cluster in `directory`; the `senders` own something.
///
/// # Errors
/// What cannot be written or mounted.
pub(crate) fn make(directory: &Path, shape: Shape, senders: &[PrivateKeySigner]) -> anyhow::Result<Files> {
    let size = ClusterSize::new(usize::from(shape.operators)).context("a cluster of that size is not possible")?;
    let rng = &mut rand::rng();
    let deal = deal(rng, size);
    let (mut places, mut operators) = (Vec::new(), Vec::new());
    for (index, (share, share_key)) in (0..shape.operators).zip(deal.shares.iter().zip(&deal.share_keys)) {
        let place =
            Place { index, home: directory.join(format!("operator-{index}")), rpc: control_address(index, RPC_PORT) };
        let identity = Identity::generate(rng);
        fs::create_dir_all(place.data())?;
        let data = place.data().display().to_string();
        run_line(&format!("mount -t tmpfs -o size={DATA_MEGABYTES}m,mode=700 chaos-{index} {data}"))?;
        fs::create_dir_all(place.archive())?;
        write_identity(&place.home.join("identity.json"), &identity)?;
        write_share(&place.home.join("share.json"), share)?;
        fs::write(place.config(), settings(index))?;
        operators.push(OperatorRecord {
            index: share.index(),
            name: format!("operator-{index}"),
            identity: B256::from(identity.public().to_bytes()),
            share_key: FixedBytes::from_slice(&share_key.to_bytes()),
            address: mesh_address(index).to_string(),
        });
        places.push(place);
    }
    let funded: Vec<(Address, U256)> =
        senders.iter().map(|sender| (sender.address(), U256::from(BALANCE_WEI))).collect();
    let mut genesis = devnet_genesis(CHAIN_ID, &funded);
    genesis.timestamp = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let hash = Genesis::new(genesis.clone())?.reference().hash;
    let definition = ClusterDefinition {
        name: "chaos".to_owned(),
        chain_id: CHAIN_ID,
        public_key: FixedBytes::from_slice(&deal.public_key.to_bytes()),
        slots_per_term: shape.slots_per_term,
        block_time_ms: shape.block_time_ms,
        genesis,
        operators,
    };
    let cluster = ClusterFile::new(definition, hash).map_err(anyhow::Error::msg)?;
    fs::write(directory.join("cluster.json"), cluster.to_json())?;
    Ok(Files { cluster, places })
}

fn settings(index: u8) -> String {
    let quoted = |text: &str| format!("\"{text}\"");
    template(&[
        ("cluster_file", quoted("../cluster.json")),
        ("listen_address", quoted(&mesh_address(index).to_string())),
        ("rpc_address", quoted(&control_address(index, RPC_PORT).to_string())),
        ("metrics_address", quoted(&control_address(index, METRICS_PORT).to_string())),
        ("log_format", quoted("json")),
    ])
}
