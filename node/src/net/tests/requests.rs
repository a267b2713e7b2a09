//! Requests: answered, refused, too large, too late.

use super::{Cluster, PATIENCE, Recorder, pair};
use crate::net::{NetError, REQUESTS_PER_PEER_MAX};
use bytes::Bytes;
use phalanx_types::OperatorIndex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const TO: OperatorIndex = OperatorIndex(1);

/// Answers by what is asked for.
fn answering() -> Arc<Recorder> {
    let answer = |from: OperatorIndex, request: Bytes| match request.as_ref() {
        b"refuse" => None,
        b"large" => Some(Bytes::from(vec![5; 16 << 20])),
        b"too large" => Some(Bytes::from(vec![5; 17 << 20])),
        b"panic" => panic!("a handler that panics"),
        b"slow" => {
            std::thread::sleep(Duration::from_millis(300));
            Some(Bytes::new())
        }
        _ => Some(Bytes::from([&from.0.to_be_bytes(), request.as_ref()].concat())),
    };
    Recorder::with(usize::MAX, Box::new(answer))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_are_answered_in_both_directions() {
    let (low, high) = (answering(), answering());
    let (dialled, accepted) = pair(&mut Cluster::new(2), [&low, &high]).await;
    let answer = dialled.request(TO, Bytes::from_static(b"who?"), PATIENCE).await.unwrap();
    assert_eq!(answer, b"\0\0who?".as_slice());
    let answer = accepted.request(OperatorIndex(0), Bytes::from_static(b"who?"), PATIENCE).await.unwrap();
    assert_eq!(answer, b"\0\x01who?".as_slice());
    let answer = dialled.request(TO, Bytes::new(), PATIENCE).await.unwrap();
    assert_eq!(answer, b"\0\0".as_slice(), "an empty request is a request");
    let answer = dialled.request(TO, Bytes::from_static(b"large"), PATIENCE).await.unwrap();
    assert!(answer.len() == 16 << 20 && answer.iter().all(|byte| *byte == 5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_say_who_is_to_blame() {
    let (low, high) = (answering(), answering());
    let mut cluster = Cluster::new(2);
    cluster.configs[0].limits.request_bytes_max = 1 << 20;
    let (mesh, _other) = pair(&mut cluster, [&low, &high]).await;
    for asked in [Bytes::from_static(b"refuse"), Bytes::from_static(b"too large"), Bytes::from_static(b"panic")] {
        let error = mesh.request(TO, asked.clone(), PATIENCE).await.unwrap_err();
        assert!(matches!(error, NetError::PeerRefused(TO)), "{asked:?}: {error}");
    }
    let error = mesh.request(TO, Bytes::from(vec![0; 100 << 10]), PATIENCE).await.unwrap_err();
    assert!(matches!(error, NetError::PeerRefused(TO)), "above the answerer's bound: {error}");
    let error = mesh.request(TO, Bytes::from(vec![0; (1 << 20) + 1]), PATIENCE).await.unwrap_err();
    assert!(matches!(error, NetError::MisuseRequestTooLarge { .. }), "{error}");
    let error = mesh.request(OperatorIndex(7), Bytes::new(), PATIENCE).await.unwrap_err();
    assert!(matches!(error, NetError::MisuseUnknownPeer(_)), "{error}");
    let error = mesh.request(TO, Bytes::from_static(b"slow"), Duration::from_millis(20)).await.unwrap_err();
    assert!(matches!(error, NetError::PeerTimeout { .. }), "{error}");
    assert_eq!(mesh.request(TO, Bytes::from_static(b"?"), PATIENCE).await.unwrap().len(), 3, "and all is well after");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_above_the_askers_bound_is_not_read() {
    let (low, high) = (answering(), answering());
    let mut cluster = Cluster::new(2);
    cluster.configs[0].limits.response_bytes_max = 1_000;
    let (mesh, _other) = pair(&mut cluster, [&low, &high]).await;
    let error = mesh.request(TO, Bytes::from_static(b"large"), PATIENCE).await.unwrap_err();
    assert!(matches!(error, NetError::PeerResponseTooLarge { max: 1_000, .. }), "{error}");
    assert_eq!(mesh.request(TO, Bytes::from_static(b"?"), PATIENCE).await.unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_is_served_few_requests_at_once() {
    let (running, most) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let counts = (Arc::clone(&running), Arc::clone(&most));
    let answer = move |_, request| {
        counts.1.fetch_max(counts.0.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(20));
        counts.0.fetch_sub(1, Ordering::SeqCst);
        Some(request)
    };
    let (low, high) = (Recorder::new(), Recorder::with(usize::MAX, Box::new(answer)));
    let (mesh, _other) = pair(&mut Cluster::new(2), [&low, &high]).await;
    let mesh = Arc::new(mesh);
    let asking: Vec<_> = (0_u8..20)
        .map(|sequence| {
            let mesh = Arc::clone(&mesh);
            tokio::spawn(async move { mesh.request(TO, Bytes::from(vec![sequence]), PATIENCE).await.unwrap() })
        })
        .collect();
    for (sequence, asked) in (0_u8..).zip(asking) {
        assert_eq!(asked.await.unwrap(), [sequence].as_slice());
    }
    let most = most.load(Ordering::SeqCst);
    assert!((1..=REQUESTS_PER_PEER_MAX).contains(&most), "{most} at once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_answers_where_nobody_is() {
    let recorder = Recorder::new();
    let mesh = Cluster::new(2).start(0, &recorder).await;
    let error = mesh.request(TO, Bytes::new(), PATIENCE).await.unwrap_err();
    assert!(matches!(error, NetError::PeerNotConnected(TO)), "{error}");
    mesh.shutdown().await;
    let error = mesh.request(TO, Bytes::new(), PATIENCE).await.unwrap_err();
    assert!(matches!(error, NetError::Shutdown), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_goes_away_ends_the_request() {
    let (low, high) = (Recorder::new(), answering());
    let (mesh, other) = pair(&mut Cluster::new(2), [&low, &high]).await;
    let mesh = Arc::new(mesh);
    let asking = {
        let mesh = Arc::clone(&mesh);
        tokio::spawn(async move { mesh.request(TO, Bytes::from_static(b"slow"), PATIENCE).await })
    };
    tokio::time::sleep(Duration::from_millis(50)).await;
    other.shutdown().await;
    let error = asking.await.unwrap().unwrap_err();
    assert!(matches!(error, NetError::PeerLost { peer: TO, .. }), "{error}");
}
