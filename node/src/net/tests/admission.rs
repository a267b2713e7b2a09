//! Who is refused: unknown identities in both directions, wrong seats, other clusters, the wrong direction.

use super::{Cluster, Recorder, connected, eventually, intrude, pair, seed};
use crate::net::{Mesh, NetError, PeerConfig};
use phalanx_types::{B256, ClusterId, OperatorIndex};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Long enough for many dials.
const A_WHILE: Duration = Duration::from_millis(700);

/// Starts operators 0 and 1, and checks that they never come together.
async fn never_meet(cluster: &mut Cluster) {
    let (low, high) = (Recorder::new(), Recorder::new());
    let meshes = (cluster.start(0, &low).await, cluster.start(1, &high).await);
    tokio::time::sleep(A_WHILE).await;
    assert!(!connected(&meshes.0, 1) && !connected(&meshes.1, 0));
    assert_eq!((low.connects.load(Ordering::SeqCst), high.connects.load(Ordering::SeqCst)), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_identity_that_dials_is_refused() {
    let mut cluster = Cluster::new(2);
    cluster.configs[0].identity = seed(77);
    never_meet(&mut cluster).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_identity_that_is_dialled_is_refused() {
    let mut cluster = Cluster::new(2);
    cluster.configs[1].identity = seed(77);
    never_meet(&mut cluster).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_cluster_is_refused() {
    let mut cluster = Cluster::new(2);
    cluster.configs[1].cluster = ClusterId(B256::repeat_byte(4));
    never_meet(&mut cluster).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_known_identity_on_the_wrong_seat_is_refused() {
    let mut cluster = Cluster::new(3);
    // Operator 0 looks for operator 1 where operator 2 listens: a key that it knows, but of another seat.
    cluster.configs[0].peers[0].address = cluster.configs[0].peers[1].address.clone();
    let recorders = [Recorder::new(), Recorder::new(), Recorder::new()];
    let low = cluster.start(0, &recorders[0]).await;
    let _middle = cluster.start(1, &recorders[1]).await;
    let _high = cluster.start(2, &recorders[2]).await;
    eventually("the right seat is connected", || connected(&low, 2)).await;
    tokio::time::sleep(A_WHILE).await;
    assert!(!connected(&low, 1));
    assert_eq!(recorders[0].connects.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_higher_operator_that_dials_is_refused() {
    let (low, high) = (Recorder::new(), Recorder::new());
    let mut cluster = Cluster::new(2);
    let (mesh, _other) = pair(&mut cluster, [&low, &high]).await;
    let refused = match intrude(1, 0, mesh.local_address()).await {
        Err(error) => error,
        // TLS 1.3 lets the dialler finish before it hears the verdict.
        Ok((_endpoint, connection)) => connection.closed().await,
    };
    assert!(matches!(refused, quinn::ConnectionError::ConnectionClosed(_)), "{refused}");
    assert_eq!((low.connects.load(Ordering::SeqCst), low.disconnects.load(Ordering::SeqCst)), (1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_connection_replaces_the_older_at_once() {
    let high = Recorder::new();
    let mut cluster = Cluster::new(2);
    let mesh = cluster.start(1, &high).await;
    let (_first_endpoint, first) = intrude(0, 1, mesh.local_address()).await.unwrap();
    eventually("the first is let in", || high.connects.load(Ordering::SeqCst) == 1).await;
    let (_second_endpoint, second) = intrude(0, 1, mesh.local_address()).await.unwrap();
    let end = first.closed().await;
    let quinn::ConnectionError::ApplicationClosed(close) = &end else { panic!("{end}") };
    assert!(String::from_utf8_lossy(&close.reason).contains("replaced"), "{end}");
    assert_eq!((high.connects.load(Ordering::SeqCst), high.disconnects.load(Ordering::SeqCst)), (2, 0));
    assert!(connected(&mesh, 0) && second.close_reason().is_none());
}

#[tokio::test]
async fn configurations_that_contradict_themselves_are_refused() {
    let peer = |index: u16, key: u16| PeerConfig {
        index: OperatorIndex(index),
        name: String::new(),
        identity_public_key: seed(key).public_key(),
        address: "127.0.0.1:1".to_owned(),
    };
    for (peers, expected) in [
        (vec![peer(0, 1)], "operator 0 is named twice"),
        (vec![peer(1, 1), peer(1, 2)], "operator 1 is named twice"),
        (vec![peer(1, 1), peer(2, 1)], "the same identity key"),
        (vec![peer(1, 0)], "the same identity key"),
    ] {
        let mut config = Cluster::new(1).configs.remove(0);
        config.peers = peers;
        let error = Mesh::start(config, Recorder::new()).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
    let mut config = Cluster::new(1).configs.remove(0);
    config.limits.lanes[1].queue_frames_max = 0;
    let error = Mesh::start(config, Recorder::new()).await.unwrap_err();
    assert!(error.to_string().contains("blocks lane"), "{error}");

    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut config = Cluster::new(1).configs.remove(0);
    config.bind = taken.local_addr().unwrap();
    let error = Mesh::start(config, Arc::clone(&Recorder::new()) as _).await.unwrap_err();
    assert!(matches!(error, NetError::IoBind { .. }), "{error}");
}
