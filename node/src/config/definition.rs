//! What the operators of a cluster agree on before it has a key: who they are and what the chain is to be.
//!
//! Invariants of a [`Definition`]: what it says makes a cluster file (all of its bounds hold, nobody is named
//! twice); its hash covers everything but the acceptances, and does not depend on how the file is laid out.
//!
//! Left to others: whether keys are points of their curves, and whose an acceptance is (`keys`).

use super::cluster::{ClusterDefinition, LEADER_SCHEDULE, OperatorRecord, SCHEME_MIN_SIG};
use super::{ConfigError, read_bounded};
use crate::config::CLUSTER_FILE_BYTES_MAX;
use alloy_genesis::Genesis;
use alloy_primitives::{B256, FixedBytes, keccak256};
use phalanx_types::OperatorIndex;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The version of definitions that this release writes and reads.
pub const DEFINITION_VERSION: u32 = 1;
/// The longest value that an outline shows as it is. Unit: bytes.
const OUTLINE_VALUE_BYTES_MAX: usize = 120;
const DEFINITION_DOMAIN: &[u8] = b"phalanx definition 1";
const ACCEPTANCE_DOMAIN: &[u8] = b"phalanx definition 1: accepted";

/// An operator before it has a share: what `phalanx keys new` prints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PublicRecord {
    /// What people call it.
    pub name: String,
    /// Its identity: an Ed25519 public key (RFC 8032), 32 bytes.
    pub identity: B256,
    /// To which shares are encrypted: an X25519 public key (RFC 7748), 32 bytes.
    pub encryption_key: B256,
    /// Where the others reach it over QUIC: `host:port`, a name or an IP address.
    pub address: String,
}

/// One operator's word that the definition is what it wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Acceptance {
    /// Whose.
    pub operator: OperatorIndex,
    /// Its identity's signature (Ed25519) of [`Definition::acceptance_digest`].
    pub signature: FixedBytes<64>,
}

/// A definition, as its file holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Definition {
    /// [`DEFINITION_VERSION`]
    pub version: u32,
    /// What people call the cluster.
    pub name: String,
    /// The EIP-155 chain id; equal to that of the genesis.
    pub chain_id: u64,
    /// The scheme of the key: [`SCHEME_MIN_SIG`].
    pub scheme: String,
    /// `W`.
    pub slots_per_term: u32,
    /// The time between two blocks of one leader. Unit: milliseconds.
    pub block_time_ms: u64,
    /// How leaders follow each other: [`LEADER_SCHEDULE`].
    pub leader_schedule: String,
    /// Tells this ceremony from any other with the same operators: random.
    pub ceremony: B256,
    /// By operator index.
    pub operators: Vec<PublicRecord>,
    /// The genesis, in Ethereum's usual JSON.
    pub genesis: Genesis,
    /// Not part of what is agreed on.
    #[serde(default)]
    pub acceptances: Vec<Acceptance>,
}

/// Every field of a definition by its path, short enough to be shown and sent.
pub type Outline = BTreeMap<String, String>;

impl PublicRecord {
    /// Whether it can stand in a cluster file.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn check(&self) -> Result<(), String> {
        self.with_share_key(OperatorIndex(0), FixedBytes::ZERO).check()
    }

    fn with_share_key(&self, index: OperatorIndex, share_key: FixedBytes<96>) -> OperatorRecord {
        OperatorRecord {
            index,
            name: self.name.clone(),
            identity: self.identity,
            share_key,
            address: self.address.clone(),
        }
    }
}

impl Definition {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// [`ConfigError`] for the first thing wrong.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        Self::parse(path, &read_bounded("definition", path, CLUSTER_FILE_BYTES_MAX)?)
    }

    /// The same, of text already read; `path` is for errors.
    ///
    /// # Errors
    /// [`ConfigError`] for the first thing wrong.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let definition: Self = serde_json::from_str(text)
            .map_err(|source| ConfigError::ClusterSyntax { path: path.to_owned(), source })?;
        definition.check().map_err(|reason| ConfigError::ClusterInvalid { path: path.to_owned(), reason })?;
        Ok(definition)
    }

    /// The file as JSON, for people to read.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("a definition has string keys only");
        text.push('\n');
        text
    }

    /// Whether it makes a cluster.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn check(&self) -> Result<(), String> {
        let known = [
            (self.version == DEFINITION_VERSION, "version", self.version.to_string(), DEFINITION_VERSION.to_string()),
            (self.scheme == SCHEME_MIN_SIG, "scheme", self.scheme.clone(), SCHEME_MIN_SIG.to_owned()),
            (
                self.leader_schedule == LEADER_SCHEDULE,
                "leaderSchedule",
                self.leader_schedule.clone(),
                LEADER_SCHEDULE.to_owned(),
            ),
        ];
        if let Some((_, field, is, known)) = known.into_iter().find(|(holds, ..)| !holds) {
            return Err(format!("the {field} is {is}, this release knows {known}"));
        }
        // Share keys that differ stand for those to come.
        let stand_ins = (1..=self.operators.len()).map(|number| FixedBytes::left_padding_from(&number.to_be_bytes()));
        self.to_cluster(FixedBytes::ZERO, stand_ins).check()?;
        let mut keys = BTreeSet::new();
        if let Some(twice) = self.operators.iter().find(|operator| !keys.insert(operator.encryption_key)) {
            return Err(format!("the encryptionKey of {} is that of another operator too", twice.name));
        }
        let mut accepted = BTreeSet::new();
        for Acceptance { operator, .. } in &self.acceptances {
            if operator.as_usize() >= self.operators.len() || !accepted.insert(*operator) {
                return Err(format!(
                    "the acceptance of operator {operator} stands there twice, or there is no such one"
                ));
            }
        }
        Ok(())
    }

    /// Names the definition, and so the ceremony.
    #[must_use]
    pub fn hash(&self) -> B256 {
        let agreed = Self { acceptances: Vec::new(), ..self.clone() };
        let bytes = serde_json::to_vec(&agreed).expect("a definition has string keys only");
        keccak256([DEFINITION_DOMAIN, &bytes].concat())
    }

    /// What an operator that accepts it signs.
    #[must_use]
    pub fn acceptance_digest(&self) -> B256 {
        keccak256([ACCEPTANCE_DOMAIN, self.hash().as_slice()].concat())
    }

    /// The cluster that it makes with these keys.
    #[must_use]
    pub fn to_cluster(
        &self,
        public_key: FixedBytes<96>,
        share_keys: impl IntoIterator<Item = FixedBytes<96>>,
    ) -> ClusterDefinition {
        let operators = (0..).zip(&self.operators).zip(share_keys);
        ClusterDefinition {
            name: self.name.clone(),
            chain_id: self.chain_id,
            public_key,
            slots_per_term: self.slots_per_term,
            block_time_ms: self.block_time_ms,
            genesis: self.genesis.clone(),
            operators: operators
                .map(|((index, record), share_key)| record.with_share_key(OperatorIndex(index), share_key))
                .collect(),
        }
    }

    /// Its fields, for comparison with another's.
    #[must_use]
    pub fn outline(&self) -> Outline {
        let agreed = Self { acceptances: Vec::new(), ..self.clone() };
        let mut outline = Outline::new();
        flatten("", &serde_json::to_value(&agreed).expect("a definition is JSON"), &mut outline);
        outline
    }
}

/// The lists and objects that are gone into. What is in others (allocations) is compared by its hash.
fn is_entered(path: &str) -> bool {
    path.is_empty() || path == "genesis" || path == "genesis.config" || path.starts_with("operators")
}

fn flatten(path: &str, value: &Value, outline: &mut Outline) {
    match value {
        Value::Object(fields) if is_entered(path) => {
            for (name, value) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                flatten(&path, value, outline);
            }
        }
        Value::Array(values) if is_entered(path) => {
            values.iter().enumerate().for_each(|(index, value)| flatten(&format!("{path}[{index}]"), value, outline));
        }
        Value::String(text) => insert(path, text.clone(), outline),
        value => insert(path, value.to_string(), outline),
    }
}

fn insert(path: &str, text: String, outline: &mut Outline) {
    let short = text.len() <= OUTLINE_VALUE_BYTES_MAX;
    let shown = if short { text } else { format!("(hash {})", keccak256(&text)) };
    outline.insert(path.to_owned(), shown);
}

/// Where two outlines differ: the path, what one says, what the other says.
#[must_use]
pub fn differences<'a>(one: &'a Outline, other: &'a Outline) -> Vec<(&'a str, &'a str, &'a str)> {
    const NOTHING: &str = "nothing";
    let paths: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    let value = |outline: &'a Outline, path: &String| outline.get(path).map_or(NOTHING, String::as_str);
    paths
        .into_iter()
        .map(|path| (path.as_str(), value(one, path), value(other, path)))
        .filter(|(_, one, other)| one != other)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition() -> Definition {
        let mut genesis = Genesis::default();
        genesis.config.chain_id = 7;
        let record = |number: u8| PublicRecord {
            name: format!("operator-{number}"),
            identity: B256::repeat_byte(number),
            encryption_key: B256::repeat_byte(0x80 + number),
            address: format!("127.0.0.1:{}", 9_000 + u16::from(number)),
        };
        Definition {
            version: DEFINITION_VERSION,
            name: "test".to_owned(),
            chain_id: 7,
            scheme: SCHEME_MIN_SIG.to_owned(),
            slots_per_term: 50,
            block_time_ms: 100,
            leader_schedule: LEADER_SCHEDULE.to_owned(),
            ceremony: B256::repeat_byte(9),
            operators: (1..=4).map(record).collect(),
            genesis,
            acceptances: Vec::new(),
        }
    }

    fn parse(text: &str) -> Result<Definition, String> {
        Definition::parse(Path::new("definition.json"), text).map_err(|error| error.to_string())
    }

    #[test]
    fn the_file_reads_back_to_the_same_hash_whatever_its_layout() {
        let made = definition();
        let read = parse(&made.to_json()).expect("a good definition");
        assert_eq!((&read, read.hash()), (&made, made.hash()));
        let value: Value = serde_json::from_str(&made.to_json()).expect("JSON");
        assert_eq!(parse(&value.to_string()).expect("with other spaces").hash(), made.hash());
    }

    #[test]
    fn the_hash_covers_everything_but_the_acceptances() {
        let made = definition();
        let mut accepted = made.clone();
        accepted.acceptances.push(Acceptance { operator: OperatorIndex(1), signature: FixedBytes::ZERO });
        assert_eq!(accepted.hash(), made.hash());
        let changes: [fn(&mut Definition); 6] = [
            |definition| definition.name.push('x'),
            |definition| definition.ceremony = B256::ZERO,
            |definition| definition.block_time_ms += 1,
            |definition| definition.operators[2].address = "127.0.0.1:1".to_owned(),
            |definition| definition.operators[2].encryption_key = B256::ZERO,
            |definition| definition.genesis.timestamp += 1,
        ];
        for change in changes {
            let mut other = made.clone();
            change(&mut other);
            assert_ne!(other.hash(), made.hash(), "{other:?}");
            let (one, other) = (made.outline(), other.outline());
            assert_eq!(differences(&one, &other).len(), 1, "and the outline names it");
        }
    }

    #[test]
    fn differences_are_named_by_their_path() {
        let (one, mut other) = (definition(), definition());
        other.operators[3].name = "mallory".to_owned();
        other.operators.push(PublicRecord { name: "eve".to_owned(), ..other.operators[0].clone() });
        let (one, other) = (one.outline(), other.outline());
        let found = differences(&one, &other);
        assert!(found.contains(&("operators[3].name", "operator-4", "mallory")), "{found:?}");
        assert!(found.contains(&("operators[4].name", "nothing", "eve")), "{found:?}");
    }

    #[test]
    fn what_makes_no_cluster_is_refused() {
        let changes: [fn(&mut Definition); 8] = [
            |definition| definition.version = 2,
            |definition| definition.scheme = "bls12381-min-pk".to_owned(),
            |definition| definition.leader_schedule = "random".to_owned(),
            |definition| definition.operators.clear(),
            |definition| definition.operators[1].name = "operator-1".to_owned(),
            |definition| definition.operators[1].encryption_key = definition.operators[0].encryption_key,
            |definition| definition.chain_id = 8,
            |definition| {
                definition.acceptances = vec![Acceptance { operator: OperatorIndex(4), signature: FixedBytes::ZERO }];
            },
        ];
        for (index, change) in changes.into_iter().enumerate() {
            let mut other = definition();
            change(&mut other);
            assert!(parse(&other.to_json()).is_err(), "change {index}");
        }
        let misspelt = definition().to_json().replace("\"chainId\"", "\"chain\"");
        assert!(parse(&misspelt).expect_err("misspelt").contains("chain"));
    }
}
