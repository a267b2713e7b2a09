//! Why a transaction is refused, in the words that users of Ethereum clients know.

use alloy_primitives::{U256, U512};
use phalanx_types::TRANSACTION_BYTES_MAX;

/// What an account wants to spend and cannot. Unit: wei.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("balance {balance}, queued cost {queued}, tx cost {cost}, overshot {overshot}")]
pub struct Shortfall {
    /// What the account has.
    pub balance: U256,
    /// What its other held transactions may cost.
    pub queued: U512,
    /// What this one may cost.
    pub cost: U512,
    /// What is missing.
    pub overshot: U512,
}

/// Why a transaction is refused. First come the faults of its author, then those that may pass.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdmissionError {
    // The author's fault, whatever the state is: `is_permanent`.
    /// No EIP-2718 transaction.
    #[error("invalid transaction encoding: {0}")]
    Malformed(String),
    /// A transaction type that this chain does not know.
    #[error("transaction type not supported: {0}")]
    TypeUnsupported(u8),
    /// EIP-4844: there is nowhere to put blobs.
    #[error("transaction type not supported: blob transactions (EIP-4844), since this chain carries no blobs")]
    Blob,
    /// More bytes than any transaction may have.
    #[error("oversized data: transaction size {0}, limit {TRANSACTION_BYTES_MAX}")]
    Oversized(usize),
    /// No EIP-155 chain id.
    #[error("only replay-protected (EIP-155) transactions allowed over RPC")]
    Unprotected,
    /// Signed for another chain.
    #[error("invalid sender: invalid chain id for signer: have {have} want {want}")]
    ChainId {
        /// The transaction's.
        have: u64,
        /// The chain's.
        want: u64,
    },
    /// No sender can be recovered, or `s` is in the upper half (EIP-2).
    #[error("invalid sender: invalid transaction v, r, s values")]
    Signature,
    /// Less gas than it costs to include the transaction.
    #[error("intrinsic gas too low: gas {have}, minimum needed {want}")]
    IntrinsicGas {
        /// The gas limit.
        have: u64,
        /// What inclusion costs.
        want: u64,
    },
    /// Less gas than its data costs at least (EIP-7623).
    #[error("insufficient gas for floor data gas cost: gas {have}, minimum needed {want}")]
    FloorGas {
        /// The gas limit.
        have: u64,
        /// What its data costs at least.
        want: u64,
    },
    /// More gas than a block has.
    #[error("exceeds block gas limit")]
    BlockGas,
    /// More gas than a transaction may have (EIP-7825).
    #[error("transaction gas limit too high (cap: {cap}, tx: {have})")]
    GasCap {
        /// The gas limit.
        have: u64,
        /// The most that a transaction may have.
        cap: u64,
    },
    /// Longer init code than EIP-3860 allows.
    #[error("max initcode size exceeded: code size {have}, limit {limit}")]
    InitCode {
        /// Unit: bytes.
        have: usize,
        /// Unit: bytes.
        limit: usize,
    },
    /// The tip exceeds the fee cap.
    #[error("max priority fee per gas higher than max fee per gas: maxPriorityFeePerGas: {tip}, maxFeePerGas: {cap}")]
    TipAboveFeeCap {
        /// Unit: wei per gas.
        tip: u128,
        /// Unit: wei per gas.
        cap: u128,
    },
    /// EIP-7702 asks for at least one authorization.
    #[error("set code tx must have at least one authorization tuple")]
    AuthorizationsEmpty,
    /// EIP-2681: the nonce leaves no successor.
    #[error("nonce has max value")]
    NonceMax,

    // The author's fault in the present state.
    /// It is held already.
    #[error("already known")]
    AlreadyKnown,
    /// The account's nonce has passed it.
    #[error("nonce too low: next nonce {next}, tx nonce {have}")]
    NonceTooLow {
        /// The account's.
        next: u64,
        /// The transaction's.
        have: u64,
    },
    /// Too far above the account's nonce.
    #[error("nonce too high: next nonce {next}, tx nonce {have}, at most {limit} ahead are held")]
    NonceTooFar {
        /// The nonce that would be executable.
        next: u64,
        /// The transaction's.
        have: u64,
        /// How far ahead it may be.
        limit: u64,
    },
    /// The tip is below what this operator takes.
    #[error("transaction underpriced: gas tip cap {have}, minimum needed {want}")]
    Underpriced {
        /// Unit: wei per gas.
        have: u128,
        /// Unit: wei per gas.
        want: u128,
    },
    /// Not enough more than the transaction with the same nonce that is held.
    #[error("replacement transaction underpriced")]
    ReplacementUnderpriced,
    /// The account cannot pay for everything that it wants.
    #[error("insufficient funds for gas * price + value: {0}")]
    InsufficientFunds(Box<Shortfall>),
    /// The sender has as many as it may have.
    #[error("account limit exceeded: {held} transactions held, limit {limit}")]
    SenderFull {
        /// How many are held.
        held: usize,
        /// How many may be.
        limit: usize,
    },

    // Nobody's fault: it may be offered again.
    /// No room, and nothing that may make room for it.
    #[error("txpool is full")]
    PoolFull,
    /// The peer that offers it has as many in the pool as it may have.
    #[error("txpool is full: {held} transactions held of the operator that offers this one")]
    PeerFull {
        /// How many are held.
        held: usize,
    },
}

impl AdmissionError {
    /// Whether no state of the chain would admit it: an honest operator never gossips such a
    /// transaction.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        matches!(
            self,
            Self::Malformed(_)
                | Self::TypeUnsupported(_)
                | Self::Blob
                | Self::Oversized(_)
                | Self::Unprotected
                | Self::ChainId { .. }
                | Self::Signature
                | Self::IntrinsicGas { .. }
                | Self::FloorGas { .. }
                | Self::BlockGas
                | Self::GasCap { .. }
                | Self::InitCode { .. }
                | Self::TipAboveFeeCap { .. }
                | Self::AuthorizationsEmpty
                | Self::NonceMax
        )
    }
}
