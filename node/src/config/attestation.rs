//! What a ceremony leaves in a cluster file: the word of every operator, and of the new key itself, for all of it.
//!
//! Invariant: the digest covers every field of the file, and not how the file is laid out. Whether the signatures
//! are those of the keys in the file is for `keys` to say.

use super::ClusterFile;
use alloy_primitives::{B256, U256, keccak256};
use phalanx_types::{IdentitySignature, SignatureBytes};
use serde::{Deserialize, Serialize};

/// What every operator signs at the end of a ceremony, in the manner of EIP-712: a struct's type, whose hash comes
/// first. `clusterId` covers the chain, the key and the genesis.
const OUTCOME_TYPE: &str = "PhalanxOutcome(bytes32 definition,bytes32 clusterId,string name,uint256 blockTimeMs,\
                            PhalanxOperator[] operators)\
                            PhalanxOperator(uint256 index,string name,bytes32 identity,bytes shareKey,string address)";
const OPERATOR_TYPE: &str = "PhalanxOperator(uint256 index,string name,bytes32 identity,bytes shareKey,string address)";

/// Signatures of the cluster file that holds them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Attestation {
    /// The hash of the definition that the operators accepted.
    pub definition: B256,
    /// By each operator's identity, by index.
    pub operators: Vec<IdentitySignature>,
    /// By the cluster's key: made of a quorum's partials when the key was made.
    pub signature: SignatureBytes,
}

impl ClusterFile {
    /// What all have signed of this file, made by the ceremony of the definition with this hash.
    #[must_use]
    pub fn outcome_digest(&self, definition: B256) -> B256 {
        let operator_type = keccak256(OPERATOR_TYPE);
        let operators = self.definition.operators.iter().map(|operator| {
            let words = [
                operator_type,
                U256::from(operator.index.0).into(),
                keccak256(&operator.name),
                operator.identity,
                keccak256(operator.share_key),
                keccak256(&operator.address),
            ];
            keccak256(words.concat())
        });
        let operators: Vec<u8> = operators.flat_map(|hash| hash.0).collect();
        let words = [
            keccak256(OUTCOME_TYPE),
            definition,
            self.cluster_id.0,
            keccak256(&self.definition.name),
            U256::from(self.definition.block_time_ms).into(),
            keccak256(operators),
        ];
        keccak256(words.concat())
    }
}
