//! The keys of one operator, checked against its cluster file.

use super::KeyError;
use super::file::{read_identity, read_share, share_public_key};
use super::passphrase::PassphraseSource;
use super::unused::UnusedMark;
use crate::config::{ClusterFile, OperatorConfig};
use phalanx_threshold::{ClusterPublicKey, Identity, IdentityKey, SecretShare, SharePublicKey};
use phalanx_types::OperatorIndex;
use std::fs::{File, TryLockError};

/// What an operator signs with.
#[derive(Debug)]
pub struct OperatorKeys {
    /// Its seat: where the cluster file has its identity.
    pub index: OperatorIndex,
    /// Signs its proposals and authenticates its connections.
    pub identity: Identity,
    /// Makes its partial signatures.
    pub share: SecretShare,
    /// Whether the share has certainly never voted.
    pub unused: UnusedMark,
    /// Whether somebody who knows has said that it may vote without its journal.
    pub without_journal: bool,
    /// The share's file, locked: the system lets go of it however this process ends.
    _lock: File,
}

impl OperatorKeys {
    /// Reads both files that `config` names.
    ///
    /// # Errors
    /// [`KeyError`] for the first thing wrong: unreadable, exposed, malformed, or of another operator or
    /// cluster.
    pub fn load(config: &OperatorConfig, cluster: &ClusterFile) -> Result<Self, KeyError> {
        let passphrases = PassphraseSource::new(config.passphrase_file.0.clone());
        let identity = read_identity(&config.identity_key_file, &passphrases)?.identity;
        let public = identity.public();
        let Some(record) = cluster.operator_by_identity(&public.to_bytes()) else {
            return Err(KeyError::IdentityUnknown {
                path: config.identity_key_file.clone(),
                identity: public.to_string(),
                cluster: config.cluster_file.clone(),
            });
        };
        let read = read_share(&config.share_key_file, record.index, &passphrases)?;
        let share = read.share;
        let (actual, expected) = (share_public_key(&share), record.share_key.to_string());
        if actual != expected || read.stated != record.index {
            return Err(KeyError::ShareMismatch {
                path: config.share_key_file.clone(),
                cluster: config.cluster_file.clone(),
                index: record.index,
                actual: format!("{actual} (operator {})", read.stated),
                expected,
            });
        }
        match read.file.try_lock() {
            Ok(()) => Ok(Self {
                index: record.index,
                identity,
                share,
                unused: UnusedMark::of(&config.share_key_file),
                without_journal: false,
                _lock: read.file,
            }),
            Err(TryLockError::WouldBlock) => Err(KeyError::ShareInUse { path: config.share_key_file.clone() }),
            Err(TryLockError::Error(source)) => {
                Err(KeyError::IoUnreadable { what: "share key", path: config.share_key_file.clone(), source })
            }
        }
    }
}

/// The cluster's public key, decoded.
///
/// # Errors
/// [`KeyError::ClusterKey`] when it is no point of its group.
pub fn public_key(cluster: &ClusterFile) -> Result<ClusterPublicKey, KeyError> {
    ClusterPublicKey::from_bytes(&cluster.definition.public_key[..])
        .map_err(|error| KeyError::ClusterKey { which: "publicKey".to_owned(), reason: error.to_string() })
}

/// The public keys of the shares, in order of index, decoded.
///
/// # Errors
/// [`KeyError::ClusterKey`] for the first that is no point of its group.
pub fn share_keys(cluster: &ClusterFile) -> Result<Vec<SharePublicKey>, KeyError> {
    let operators = cluster.definition.operators.iter();
    let keys = operators.map(|operator| {
        SharePublicKey::from_bytes(&operator.share_key[..]).map_err(|error| KeyError::ClusterKey {
            which: format!("shareKey of operator {}", operator.index),
            reason: error.to_string(),
        })
    });
    keys.collect()
}

/// The identities, in order of index, decoded.
///
/// # Errors
/// [`KeyError::ClusterKey`] for the first that is no point of its group.
pub fn identity_keys(cluster: &ClusterFile) -> Result<Vec<IdentityKey>, KeyError> {
    let operators = cluster.definition.operators.iter();
    let keys = operators.map(|operator| {
        IdentityKey::from_bytes(&operator.identity.0).map_err(|error| KeyError::ClusterKey {
            which: format!("identity of operator {}", operator.index),
            reason: error.to_string(),
        })
    });
    keys.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ClusterDefinition, OperatorRecord};
    use crate::keys::{write_identity, write_share};
    use alloy_genesis::Genesis;
    use alloy_primitives::{B256, FixedBytes};
    use phalanx_threshold::deal;
    use phalanx_types::ClusterSize;
    use std::path::Path;

    struct Made {
        cluster: ClusterFile,
        identities: Vec<Identity>,
        shares: Vec<SecretShare>,
    }

    fn make() -> Made {
        let rng = &mut rand::rng();
        let size = ClusterSize::new(4).expect("four");
        let deal = deal(rng, size);
        let identities: Vec<_> = size.operators().map(|_| Identity::generate(rng)).collect();
        let operators = size
            .operators()
            .map(|index| OperatorRecord {
                index,
                name: format!("operator-{index}"),
                identity: B256::from(identities[index.as_usize()].public().to_bytes()),
                share_key: FixedBytes::from_slice(&deal.share_keys[index.as_usize()].to_bytes()),
                address: format!("127.0.0.1:{}", 9_000 + index.0),
            })
            .collect();
        let mut genesis = Genesis::default();
        genesis.config.chain_id = 1;
        let definition = ClusterDefinition {
            name: "test".to_owned(),
            chain_id: 1,
            public_key: FixedBytes::from_slice(&deal.public_key.to_bytes()),
            slots_per_term: 4,
            block_time_ms: 100,
            genesis,
            operators,
        };
        let cluster = ClusterFile::new(definition, B256::ZERO).expect("a good definition");
        Made { cluster, identities, shares: deal.shares }
    }

    fn config(directory: &Path, identity: &Identity, share: &SecretShare) -> OperatorConfig {
        let config = OperatorConfig::defaults(directory);
        write_identity(&config.identity_key_file, identity).expect("written");
        write_share(&config.share_key_file, share).expect("written");
        config
    }

    #[test]
    fn the_seat_follows_from_the_identity() {
        let made = make();
        for index in 0..4 {
            let directory = tempfile::tempdir().expect("a directory");
            let config = config(directory.path(), &made.identities[index], &made.shares[index]);
            let keys = OperatorKeys::load(&config, &made.cluster).expect("matching keys");
            assert_eq!(keys.index.as_usize(), index);
        }
    }

    #[test]
    fn keys_of_another_seat_or_cluster_are_refused() {
        let (made, other) = (make(), make());
        for (identity, share) in [(&made.identities[0], &made.shares[1]), (&made.identities[0], &other.shares[0])] {
            let directory = tempfile::tempdir().expect("a directory");
            let config = config(directory.path(), identity, share);
            let refused = OperatorKeys::load(&config, &made.cluster);
            assert!(matches!(refused, Err(KeyError::ShareMismatch { .. })), "{refused:?}");
        }
        let directory = tempfile::tempdir().expect("a directory");
        let config = config(directory.path(), &other.identities[0], &made.shares[0]);
        let refused = OperatorKeys::load(&config, &made.cluster);
        assert!(matches!(refused, Err(KeyError::IdentityUnknown { .. })), "{refused:?}");
    }

    #[test]
    fn a_share_file_serves_one_process_at_a_time() {
        let made = make();
        let directory = tempfile::tempdir().expect("a directory");
        let config = config(directory.path(), &made.identities[0], &made.shares[0]);
        let held = OperatorKeys::load(&config, &made.cluster).expect("matching keys");
        let refused = OperatorKeys::load(&config, &made.cluster);
        assert!(matches!(refused, Err(KeyError::ShareInUse { .. })), "{refused:?}");
        drop(held);
        OperatorKeys::load(&config, &made.cluster).expect("free again");
    }

    #[test]
    fn public_keys_decode_strictly() {
        let made = make();
        public_key(&made.cluster).expect("a point");
        assert_eq!(share_keys(&made.cluster).expect("points").len(), 4);
        assert_eq!(identity_keys(&made.cluster).expect("points").len(), 4);
        let mut definition = made.cluster.definition;
        definition.public_key = FixedBytes::repeat_byte(0xaa);
        let cluster = ClusterFile::new(definition, B256::ZERO).expect("well-formed");
        assert!(matches!(public_key(&cluster), Err(KeyError::ClusterKey { .. })));
    }
}
