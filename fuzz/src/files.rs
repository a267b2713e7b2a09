//! Files that people write or pass around: the cluster file and its definition, the settings, a chain's genesis,
//! keystores.

use phalanx_node::config::{ClusterFile, Definition, Environment, Flags, OperatorConfig};
use phalanx_node::execution::Genesis;
use phalanx_node::keys::Keystore;
use phalanx_types::B256;
use std::path::Path;

/// The first byte chooses the file, the rest is its text.
///
/// # Panics
/// When a file that was read does not come back, or is refused without a reason.
pub fn files(data: &[u8]) {
    let Some((which, text)) = data.split_first() else { return };
    let Ok(text) = core::str::from_utf8(text) else { return };
    let path = Path::new("file");
    let refusal = match which % 5 {
        0 => ClusterFile::parse(path, text, |_| Ok(B256::repeat_byte(7))).map_or_else(
            |error| Some(error.to_string()),
            |file| {
                let again = ClusterFile::parse(path, &file.to_json(), |_| Ok(B256::repeat_byte(7)));
                assert_eq!(again.expect("what is written is read").to_json(), file.to_json());
                None
            },
        ),
        1 => OperatorConfig::layered(Some((path, text)), &Environment::default(), &Flags::default())
            .map_or_else(|error| Some(error.to_string()), |_| None),
        2 => Genesis::from_json(text).map_or_else(|error| Some(error.to_string()), |_| None),
        3 => Definition::parse(path, text).map_or_else(
            |error| Some(error.to_string()),
            |definition| {
                let again = Definition::parse(path, &definition.to_json()).expect("what is written is read");
                assert_eq!((again.to_json(), again.hash()), (definition.to_json(), definition.hash()));
                None
            },
        ),
        _ => Keystore::parse(text.as_bytes()).err(),
    };
    assert!(refusal.is_none_or(|refusal| !refusal.is_empty()));
}
