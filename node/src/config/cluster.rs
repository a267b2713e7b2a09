//! The public cluster file (`cluster.json`): the same bytes at every operator, and all that a verifier
//! needs.
//!
//! Invariants of a [`ClusterFile`]: indexes are contiguous from 0, no identity, share key or address
//! occurs twice, every bound holds, and `clusterId` is that of its contents. The id covers what may never
//! change (chain id, public key, genesis, slots per term, leader schedule) and nothing that may (operators,
//! addresses, the block time), so it survives changes of operators.
//!
//! Left to others: whether the keys are points of their curves (`keys`), and the genesis block's hash
//! (execution), which is an argument here.

use super::{Attestation, ConfigError, read_bounded};
use alloy_genesis::Genesis;
use alloy_primitives::{B256, FixedBytes, U256, keccak256};
use core::time::Duration;
use phalanx_types::{ClusterId, ClusterSize, OPERATORS_MAX, OperatorIndex};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::Path;

/// The version of the cluster file that this release writes and reads.
pub const CLUSTER_FILE_VERSION: u32 = 1;
/// The largest cluster file; genesis allocations take most of it. Unit: bytes.
pub const CLUSTER_FILE_BYTES_MAX: u64 = 256 << 20;
/// The longest name of a cluster or operator. Unit: bytes.
pub const CLUSTER_NAME_BYTES_MAX: usize = 64;
/// The most slots of a term.
pub const SLOTS_PER_TERM_MAX: u32 = 1_000_000;
/// The longest block time. Unit: milliseconds.
pub const BLOCK_TIME_MS_MAX: u64 = 60_000;
/// The longest address of an operator: a DNS name and a port. Unit: bytes.
const ADDRESS_BYTES_MAX: usize = 253 + 6;
/// The scheme of this release: signatures in G1, keys in G2.
pub const SCHEME_MIN_SIG: &str = "bls12381-min-sig";
/// How leaders follow each other: operator `term mod n`.
pub const LEADER_SCHEDULE: &str = "round-robin";

/// What the cluster id is the hash of, in the manner of EIP-712: a struct's type, whose hash comes first.
const CLUSTER_TYPE: &str =
    "PhalanxCluster(uint256 chainId,bytes publicKey,bytes32 genesisHash,uint32 slotsPerTerm,string leaderSchedule)";

/// One operator, as everyone knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OperatorRecord {
    /// Its seat.
    pub index: OperatorIndex,
    /// What people call it.
    pub name: String,
    /// Its identity: an Ed25519 public key (RFC 8032), 32 bytes.
    pub identity: B256,
    /// The public key of its share: a compressed point of G2, 96 bytes.
    pub share_key: FixedBytes<96>,
    /// Where the others reach it over QUIC: `host:port`, a name or an IP address.
    pub address: String,
}

/// What a cluster file holds besides its version and id, which follow from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterDefinition {
    /// What people call it.
    pub name: String,
    /// The EIP-155 chain id; equal to that of the genesis.
    pub chain_id: u64,
    /// The cluster's public key: a compressed point of G2, 96 bytes.
    pub public_key: FixedBytes<96>,
    /// `W`.
    pub slots_per_term: u32,
    /// The time between two blocks of one leader. Unit: milliseconds.
    pub block_time_ms: u64,
    /// The genesis, in Ethereum's usual JSON.
    pub genesis: Genesis,
    /// In order of index.
    pub operators: Vec<OperatorRecord>,
}

/// A cluster file that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterFile {
    /// What it holds.
    pub definition: ClusterDefinition,
    /// The hash of the genesis block, as execution computed it.
    pub genesis_hash: B256,
    /// Names the cluster for ever.
    pub cluster_id: ClusterId,
    /// The signatures of the ceremony that made the key. None where a dealer made it, as for a devnet.
    pub attestation: Option<Attestation>,
}

/// The file as JSON.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Document {
    version: u32,
    name: String,
    chain_id: u64,
    cluster_id: ClusterId,
    scheme: String,
    public_key: FixedBytes<96>,
    slots_per_term: u32,
    block_time_ms: u64,
    leader_schedule: String,
    genesis: Genesis,
    operators: Vec<OperatorRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attestation: Option<Attestation>,
}

/// The id of a cluster: keccak-256 of the ABI encoding of [`CLUSTER_TYPE`]'s hash and the five values,
/// those of variable length by their hash (EIP-712's `hashStruct`).
#[must_use]
pub fn cluster_id(chain_id: u64, public_key: &[u8], genesis_hash: B256, slots_per_term: u32) -> ClusterId {
    let words = [
        keccak256(CLUSTER_TYPE),
        U256::from(chain_id).into(),
        keccak256(public_key),
        genesis_hash,
        U256::from(slots_per_term).into(),
        keccak256(LEADER_SCHEDULE),
    ];
    ClusterId(keccak256(words.concat()))
}

impl ClusterFile {
    /// Makes the file of a new cluster.
    ///
    /// # Errors
    /// A sentence that says which invariant of the file the definition breaks.
    pub fn new(definition: ClusterDefinition, genesis_hash: B256) -> Result<Self, String> {
        definition.check()?;
        let id = cluster_id(definition.chain_id, &definition.public_key[..], genesis_hash, definition.slots_per_term);
        Ok(Self { definition, genesis_hash, cluster_id: id, attestation: None })
    }

    /// The same file, signed. Whose the signatures are is not looked at here.
    ///
    /// # Errors
    /// When there is not one for each operator.
    pub fn with_attestation(self, attestation: Attestation) -> Result<Self, String> {
        let (signatures, operators) = (attestation.operators.len(), self.definition.operators.len());
        if signatures != operators {
            return Err(format!("its attestation has {signatures} signatures for {operators} operators"));
        }
        Ok(Self { attestation: Some(attestation), ..self })
    }

    /// Reads the file at `path`; `hash` computes the hash of the genesis block.
    ///
    /// # Errors
    /// [`ConfigError`] for the first thing wrong.
    pub fn load(path: &Path, hash: impl FnOnce(&Genesis) -> Result<B256, String>) -> Result<Self, ConfigError> {
        let text = read_bounded("cluster file", path, CLUSTER_FILE_BYTES_MAX)?;
        Self::parse(path, &text, hash)
    }

    /// The same, of text already read; `path` is for errors.
    ///
    /// # Errors
    /// [`ConfigError`] for the first thing wrong.
    pub fn parse(
        path: &Path,
        text: &str,
        hash: impl FnOnce(&Genesis) -> Result<B256, String>,
    ) -> Result<Self, ConfigError> {
        let invalid = |reason| ConfigError::ClusterInvalid { path: path.to_owned(), reason };
        let document: Document = serde_json::from_str(text)
            .map_err(|source| ConfigError::ClusterSyntax { path: path.to_owned(), source })?;
        let (stated, definition, attestation) = document.into_definition().map_err(invalid)?;
        let genesis_hash = hash(&definition.genesis).map_err(invalid)?;
        let mut file = Self::new(definition, genesis_hash).map_err(invalid)?;
        if file.cluster_id != stated {
            let path = path.to_owned();
            return Err(ConfigError::ClusterIdMismatch { path, stated, computed: file.cluster_id });
        }
        if let Some(attestation) = attestation {
            file = file.with_attestation(attestation).map_err(invalid)?;
        }
        Ok(file)
    }

    /// The file as JSON, for people to read.
    #[must_use]
    pub fn to_json(&self) -> String {
        let definition = self.definition.clone();
        let document = Document {
            version: CLUSTER_FILE_VERSION,
            name: definition.name,
            chain_id: definition.chain_id,
            cluster_id: self.cluster_id,
            scheme: SCHEME_MIN_SIG.to_owned(),
            public_key: definition.public_key,
            slots_per_term: definition.slots_per_term,
            block_time_ms: definition.block_time_ms,
            leader_schedule: LEADER_SCHEDULE.to_owned(),
            genesis: definition.genesis,
            operators: definition.operators,
            attestation: self.attestation.clone(),
        };
        let mut text = serde_json::to_string_pretty(&document).expect("a cluster file has string keys only");
        text.push('\n');
        text
    }

    /// How many operators there are, and what follows from it.
    #[must_use]
    pub fn size(&self) -> ClusterSize {
        ClusterSize::new(self.definition.operators.len()).expect("the number of operators was checked")
    }

    /// The time between two blocks of one leader.
    #[must_use]
    pub fn block_time(&self) -> Duration {
        Duration::from_millis(self.definition.block_time_ms)
    }

    /// The operator with this identity.
    #[must_use]
    pub fn operator_by_identity(&self, identity: &[u8; 32]) -> Option<&OperatorRecord> {
        self.definition.operators.iter().find(|operator| operator.identity.0 == *identity)
    }

    /// What whoever starts an operator of this cluster should be told, loudly.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let size = self.size();
        if size.f() > 0 {
            return Vec::new();
        }
        let n = size.n();
        let what = if n == 1 { "the one operator".to_owned() } else { format!("any one of the {n} operators") };
        vec![format!(
            "this cluster has n = {n}, so f = 0: if {what} stops, so does the chain, and if it is dishonest nothing \
             holds; four operators are the least that tolerate one fault"
        )]
    }
}

impl Document {
    fn into_definition(self) -> Result<(ClusterId, ClusterDefinition, Option<Attestation>), String> {
        if self.version != CLUSTER_FILE_VERSION {
            let version = self.version;
            return Err(format!("it has version {version}, this release reads version {CLUSTER_FILE_VERSION}"));
        }
        if self.scheme != SCHEME_MIN_SIG {
            return Err(format!("the scheme is \"{}\", this release knows \"{SCHEME_MIN_SIG}\"", self.scheme));
        }
        if self.leader_schedule != LEADER_SCHEDULE {
            let schedule = self.leader_schedule;
            return Err(format!("the leaderSchedule is \"{schedule}\", this release knows \"{LEADER_SCHEDULE}\""));
        }
        let definition = ClusterDefinition {
            name: self.name,
            chain_id: self.chain_id,
            public_key: self.public_key,
            slots_per_term: self.slots_per_term,
            block_time_ms: self.block_time_ms,
            genesis: self.genesis,
            operators: self.operators,
        };
        Ok((self.cluster_id, definition, self.attestation))
    }
}

impl ClusterDefinition {
    pub(super) fn check(&self) -> Result<(), String> {
        check_name("the cluster's name", &self.name)?;
        if self.chain_id == 0 || self.chain_id != self.genesis.config.chain_id {
            let genesis = self.genesis.config.chain_id;
            return Err(format!("chainId is {}, the genesis says {genesis}: they must be equal, not 0", self.chain_id));
        }
        if !(1..=SLOTS_PER_TERM_MAX).contains(&self.slots_per_term) {
            return Err(format!("slotsPerTerm is {}, not within 1 to {SLOTS_PER_TERM_MAX}", self.slots_per_term));
        }
        if !(1..=BLOCK_TIME_MS_MAX).contains(&self.block_time_ms) {
            return Err(format!("blockTimeMs is {}, not within 1 to {BLOCK_TIME_MS_MAX}", self.block_time_ms));
        }
        if self.operators.is_empty() || self.operators.len() > OPERATORS_MAX {
            return Err(format!("there are {} operators, not 1 to {OPERATORS_MAX}", self.operators.len()));
        }
        let mut seen = BTreeSet::new();
        for (expected, operator) in self.operators.iter().enumerate() {
            if operator.index.as_usize() != expected {
                let actual = operator.index;
                return Err(format!("operator {actual} stands where operator {expected} is due: list them in order"));
            }
            operator.check().map_err(|reason| format!("operator {expected}: {reason}"))?;
            let unique = [
                ("identity", operator.identity.to_string()),
                ("shareKey", operator.share_key.to_string()),
                ("address", operator.address.clone()),
                ("name", operator.name.clone()),
            ];
            for (field, value) in unique {
                if !seen.insert((field, value.clone())) {
                    return Err(format!("operator {expected}: its {field} {value} is that of another operator too"));
                }
            }
        }
        Ok(())
    }
}

impl OperatorRecord {
    pub(super) fn check(&self) -> Result<(), String> {
        check_name("the name", &self.name)?;
        let (host, port) = self.address.rsplit_once(':').unwrap_or((&self.address, ""));
        let well_formed = !host.is_empty()
            && self.address.len() <= ADDRESS_BYTES_MAX
            && !host.contains(char::is_whitespace)
            && port.parse().is_ok_and(|port: u16| port != 0);
        if well_formed { Ok(()) } else { Err(format!("the address \"{}\" is not host:port", self.address)) }
    }
}

fn check_name(what: &str, name: &str) -> Result<(), String> {
    let fits = (1..=CLUSTER_NAME_BYTES_MAX).contains(&name.len());
    if fits && !name.chars().any(char::is_control) {
        return Ok(());
    }
    Err(format!("{what} must have 1 to {CLUSTER_NAME_BYTES_MAX} bytes and no control characters"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const GENESIS_HASH: B256 = B256::repeat_byte(0x77);

    fn definition(n: u16) -> ClusterDefinition {
        let mut genesis = Genesis::default();
        genesis.config.chain_id = 31_337;
        let byte = |index: u16| u8::try_from(index + 1).expect("few operators");
        let operators = (0..n)
            .map(|index| OperatorRecord {
                index: OperatorIndex(index),
                name: format!("operator-{index}"),
                identity: B256::repeat_byte(byte(index)),
                share_key: FixedBytes::repeat_byte(byte(index)),
                address: format!("127.0.0.1:{}", 9_000 + index),
            })
            .collect();
        ClusterDefinition {
            name: "test".to_owned(),
            chain_id: 31_337,
            public_key: FixedBytes::repeat_byte(0xaa),
            slots_per_term: 50,
            block_time_ms: 100,
            genesis,
            operators,
        }
    }

    fn file(n: u16) -> ClusterFile {
        ClusterFile::new(definition(n), GENESIS_HASH).expect("a good definition")
    }

    fn parse(text: &str) -> Result<ClusterFile, String> {
        ClusterFile::parse(Path::new("cluster.json"), text, |_| Ok(GENESIS_HASH)).map_err(|error| error.to_string())
    }

    fn changed(change: impl FnOnce(&mut Value)) -> Result<ClusterFile, String> {
        let mut value: Value = serde_json::from_str(&file(4).to_json()).expect("JSON");
        change(&mut value);
        parse(&value.to_string())
    }

    #[test]
    fn the_file_reads_back() {
        for n in [1, 4, 7] {
            assert_eq!(parse(&file(n).to_json()), Ok(file(n)));
        }
    }

    #[test]
    fn the_outcome_covers_every_field() {
        let digest = |file: &ClusterFile| file.outcome_digest(B256::repeat_byte(1));
        let made = digest(&file(4));
        assert_ne!(file(4).outcome_digest(B256::ZERO), made);
        let changes: [fn(&mut ClusterDefinition); 7] = [
            |definition| definition.name.push('x'),
            |definition| definition.block_time_ms += 1,
            |definition| definition.slots_per_term += 1,
            |definition| definition.operators[3].name.push('x'),
            |definition| definition.operators[3].identity = B256::ZERO,
            |definition| definition.operators[3].share_key = FixedBytes::repeat_byte(0x99),
            |definition| definition.operators[3].address = "127.0.0.1:1".to_owned(),
        ];
        for (index, change) in changes.into_iter().enumerate() {
            let mut other = definition(4);
            change(&mut other);
            let other = ClusterFile::new(other, GENESIS_HASH).expect("a good definition");
            assert_ne!(digest(&other), made, "change {index}");
        }
        assert_ne!(digest(&file(3)), made);
    }

    #[test]
    fn a_signed_file_reads_back_and_has_a_signature_for_each() {
        let attestation = |signatures| Attestation {
            definition: B256::repeat_byte(3),
            operators: vec![phalanx_types::IdentitySignature([4; 64].into()); signatures],
            signature: [5; 48].into(),
        };
        let signed = file(4).with_attestation(attestation(4)).expect("one for each");
        assert_eq!(parse(&signed.to_json()), Ok(signed.clone()));
        file(4).with_attestation(attestation(3)).expect_err("one is missing");
        let mut value: Value = serde_json::from_str(&signed.to_json()).expect("JSON");
        value["attestation"]["operators"].as_array_mut().expect("a list").pop();
        assert!(parse(&value.to_string()).expect_err("one is missing").contains("attestation"));
    }

    #[test]
    fn the_id_survives_operators_and_nothing_else() {
        let id = file(4).cluster_id;
        assert_eq!(file(7).cluster_id, id);
        let mut faster = definition(4);
        faster.block_time_ms = 10;
        faster.name = "another".to_owned();
        assert_eq!(ClusterFile::new(faster, GENESIS_HASH).expect("good").cluster_id, id);
        let mut longer = definition(4);
        longer.slots_per_term = 51;
        assert_ne!(ClusterFile::new(longer, GENESIS_HASH).expect("good").cluster_id, id);
        let mut other_key = definition(4);
        other_key.public_key = FixedBytes::repeat_byte(0xab);
        assert_ne!(ClusterFile::new(other_key, GENESIS_HASH).expect("good").cluster_id, id);
        assert_ne!(ClusterFile::new(definition(4), B256::ZERO).expect("good").cluster_id, id);
        let mut other_chain = definition(4);
        other_chain.chain_id = 1;
        other_chain.genesis.config.chain_id = 1;
        assert_ne!(ClusterFile::new(other_chain, GENESIS_HASH).expect("good").cluster_id, id);
    }

    #[test]
    fn the_id_is_recomputable_by_hand() {
        // keccak256(abi.encode(typeHash, chainId, keccak256(publicKey), genesisHash, slotsPerTerm, keccak256("round-robin")))
        let mut encoded = keccak256(CLUSTER_TYPE).to_vec();
        encoded.extend([0; 30]);
        encoded.extend(31_337_u16.to_be_bytes());
        encoded.extend(keccak256([0xaa; 96]));
        encoded.extend(GENESIS_HASH);
        encoded.extend([0; 31]);
        encoded.push(50);
        encoded.extend(keccak256("round-robin"));
        assert_eq!(file(4).cluster_id.0, keccak256(encoded));
    }

    #[test]
    fn a_changed_id_or_genesis_is_refused() {
        let refusal = changed(|value| value["clusterId"] = json!(B256::ZERO)).expect_err("another id");
        assert!(refusal.contains("clusterId"), "{refusal}");
        let refusal = changed(|value| value["slotsPerTerm"] = json!(49)).expect_err("another W");
        assert!(refusal.contains("clusterId"), "{refusal}");
    }

    #[test]
    fn what_is_unknown_is_refused_with_its_place() {
        let refusal = changed(|value| value["slotPerTerm"] = json!(50)).expect_err("misspelt");
        assert!(refusal.contains("slotPerTerm") && refusal.contains("line"), "{refusal}");
        let refusal = changed(|value| value["operators"][1]["adress"] = json!("x")).expect_err("misspelt");
        assert!(refusal.contains("adress"), "{refusal}");
        let refusal = changed(|value| value["version"] = json!(2)).expect_err("from the future");
        assert!(refusal.contains("version 2"), "{refusal}");
        let refusal = changed(|value| value["scheme"] = json!("bls12381-min-pk")).expect_err("another scheme");
        assert!(refusal.contains("min-pk"), "{refusal}");
    }

    #[test]
    fn operators_must_be_distinct_and_in_order() {
        for field in ["identity", "shareKey", "address", "name"] {
            let refusal = changed(|value| {
                let copy = value["operators"][0][field].clone();
                value["operators"][2][field] = copy;
            })
            .expect_err("twice");
            assert!(refusal.contains("operator 2") && refusal.contains(field), "{refusal}");
        }
        let refusal = changed(|value| value["operators"][1]["index"] = json!(2)).expect_err("a gap");
        assert!(refusal.contains("operator 2 stands where operator 1 is due"), "{refusal}");
        let refusal = changed(|value| value["operators"] = json!([])).expect_err("nobody");
        assert!(refusal.contains("0 operators"), "{refusal}");
    }

    #[test]
    fn bounds_hold() {
        for (field, bad) in [
            ("slotsPerTerm", json!(0)),
            ("slotsPerTerm", json!(SLOTS_PER_TERM_MAX + 1)),
            ("blockTimeMs", json!(0)),
            ("blockTimeMs", json!(BLOCK_TIME_MS_MAX + 1)),
            ("name", json!("")),
            ("name", json!("x".repeat(CLUSTER_NAME_BYTES_MAX + 1))),
            ("chainId", json!(1)),
            ("publicKey", json!("0x00")),
        ] {
            assert!(changed(|value| value[field] = bad.clone()).is_err(), "{field} = {bad}");
        }
        for address in ["127.0.0.1", ":9000", "host:0", "host:70000", "a host:1"] {
            assert!(changed(|value| value["operators"][0]["address"] = json!(address)).is_err(), "{address}");
        }
    }

    #[test]
    fn clusters_that_tolerate_nothing_say_so() {
        for n in 1..=3 {
            assert_eq!(file(n).warnings().len(), 1, "n = {n}");
        }
        assert!(file(4).warnings().is_empty());
    }
}
