//! What clients are told when a request fails, with the codes that Ethereum clients use.

use super::backend::{CallError, ReadError, SendError};
use alloy_primitives::{Bytes, hex};
use alloy_sol_types::{Panic, Revert, SolError};
use jsonrpsee::types::ErrorObjectOwned;
use jsonrpsee::types::error::{INTERNAL_ERROR_CODE, INVALID_PARAMS_CODE};

/// Most failures (EIP-1474 leaves the meaning of -32000 to the server; go-ethereum uses it for nearly
/// everything).
const SERVER_ERROR_CODE: i32 = -32_000;
/// EIP-1474: a bound was exceeded.
const LIMIT_EXCEEDED_CODE: i32 = -32_005;
/// What go-ethereum gives reverted calls, with the output as data.
const REVERTED_CODE: i32 = 3;

/// Why a request failed. First come the client's faults.
#[derive(Debug, thiserror::Error)]
pub(super) enum RpcError {
    /// Parameters that contradict themselves or the chain.
    #[error("{0}")]
    Params(String),
    /// A named block that does not exist.
    #[error("header not found")]
    BlockUnknown,
    /// A bound was exceeded.
    #[error("{0}")]
    Limit(String),
    /// A call that gave no result.
    #[error("{}", describe(.0))]
    Call(CallError),
    /// A transaction that was refused.
    #[error(transparent)]
    Send(#[from] SendError),
    /// A read that failed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The server is at its bounds.
    #[error("the server is busy, try again later")]
    Busy,
    /// A task of the server died.
    #[error("internal error")]
    Internal,
}

impl From<CallError> for RpcError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Read(error) => Self::Read(error),
            other => Self::Call(other),
        }
    }
}

impl From<RpcError> for ErrorObjectOwned {
    fn from(error: RpcError) -> Self {
        let message = error.to_string();
        let (code, data) = match error {
            RpcError::Params(_) => (INVALID_PARAMS_CODE, None),
            RpcError::Limit(_) | RpcError::Busy => (LIMIT_EXCEEDED_CODE, None),
            RpcError::Call(CallError::Reverted(output)) => (REVERTED_CODE, Some(hex::encode_prefixed(output))),
            RpcError::Send(SendError { code, .. }) => (code, None),
            RpcError::Read(ReadError::Internal(_)) | RpcError::Internal => (INTERNAL_ERROR_CODE, None),
            RpcError::BlockUnknown | RpcError::Call(_) | RpcError::Read(_) => (SERVER_ERROR_CODE, None),
        };
        Self::owned(code, message, data)
    }
}

fn describe(error: &CallError) -> String {
    match error {
        CallError::Reverted(output) => match revert_reason(output) {
            Some(reason) => format!("execution reverted: {reason}"),
            None => "execution reverted".into(),
        },
        other => other.to_string(),
    }
}

/// The reason in Solidity's `Error(string)` or `Panic(uint256)`.
fn revert_reason(output: &Bytes) -> Option<String> {
    if let Ok(revert) = Revert::abi_decode_validate(output) {
        return Some(revert.reason);
    }
    Panic::abi_decode_validate(output).ok().map(|panic| panic.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::U256;

    #[test]
    fn a_revert_has_code_3_its_reason_and_its_data() {
        let output = Bytes::from(Revert::from("not enough").abi_encode());
        let object = ErrorObjectOwned::from(RpcError::from(CallError::Reverted(output.clone())));
        assert_eq!(object.code(), 3);
        assert_eq!(object.message(), "execution reverted: not enough");
        assert_eq!(object.data().unwrap().get(), format!("\"{output}\""));
    }

    #[test]
    fn a_panic_is_named_and_other_data_is_not() {
        let output = Bytes::from(Panic { code: U256::from(0x11) }.abi_encode());
        assert!(describe(&CallError::Reverted(output)).contains("0x11"));
        assert_eq!(describe(&CallError::Reverted(Bytes::from_static(&[1, 2, 3]))), "execution reverted");
    }

    #[test]
    fn a_refused_transaction_keeps_its_code_and_text() {
        let object = ErrorObjectOwned::from(RpcError::from(SendError::rejected("nonce too low")));
        assert_eq!((object.code(), object.message()), (-32_000, "nonce too low"));
    }
}
