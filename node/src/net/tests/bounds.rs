//! Bounds hold: frames that are too large, queues that are full, handlers without room, lanes misused.

use super::{Cluster, Recorder, connected, eventually, intrude, pair, status};
use crate::net::frame::tag;
use crate::net::{Lane, Mesh};
use bytes::Bytes;
use phalanx_types::{OperatorIndex, VOTE_MESSAGE_BYTES_MAX};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Connects as operator 0 to a mesh that is operator 1, says `streams`, and returns why it was thrown out.
async fn thrown_out(streams: &[&[u8]]) -> String {
    let high = Recorder::new();
    let mesh = Cluster::new(2).start(1, &high).await;
    let (_endpoint, connection) = intrude(0, 1, mesh.local_address()).await.unwrap();
    for bytes in streams {
        let mut stream = connection.open_uni().await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream.finish().unwrap();
    }
    let end = connection.closed().await;
    let quinn::ConnectionError::ApplicationClosed(close) = &end else { panic!("{end}") };
    eventually("the peer is gone", || high.disconnects.load(Ordering::SeqCst) == 1).await;
    assert!(!connected(&mesh, 0));
    String::from_utf8_lossy(&close.reason).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_breaks_the_protocol_is_thrown_out_and_told_why() {
    let votes = tag(Lane::Votes);
    let oversized = [[votes].as_slice(), &u32::try_from(VOTE_MESSAGE_BYTES_MAX + 1).unwrap().to_be_bytes()].concat();
    let reason = thrown_out(&[&oversized]).await;
    assert_eq!(reason, "it sent a frame of 4097 bytes on the votes lane, at most 4096");
    assert!(thrown_out(&[&[9]]).await.contains("tag 9"));
    assert!(thrown_out(&[&[votes, 0, 0, 0, 9, 1]]).await.contains("within a frame"));
    assert!(thrown_out(&[&[votes]]).await.contains("closed a lane"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lane_is_opened_once() {
    let high = Recorder::new();
    let mesh = Cluster::new(2).start(1, &high).await;
    let (_endpoint, connection) = intrude(0, 1, mesh.local_address()).await.unwrap();
    let mut streams = Vec::new();
    for _ in 0..2 {
        let mut stream = connection.open_uni().await.unwrap();
        stream.write_all(&[tag(Lane::Blocks)]).await.unwrap();
        streams.push(stream);
    }
    let end = connection.closed().await.to_string();
    assert!(end.contains("opened a lane twice"), "{end}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frame_that_is_too_large_is_not_sent() {
    let (low, high) = (Recorder::new(), Recorder::new());
    let (sender, _receiver) = pair(&mut Cluster::new(2), [&low, &high]).await;
    let to = OperatorIndex(1);
    assert!(!sender.send(to, Lane::Votes, Bytes::from(vec![0; VOTE_MESSAGE_BYTES_MAX + 1])));
    assert!(sender.send(to, Lane::Votes, Bytes::from(vec![0; VOTE_MESSAGE_BYTES_MAX])));
    assert!(sender.send(to, Lane::Votes, Bytes::new()), "an empty frame is a frame");
    eventually("what fits arrives", || high.count() == 2).await;
    assert_eq!(status(&sender, 1).lane(Lane::Votes).send_dropped, 1);
    assert!(connected(&sender, 1));
}

/// A reader that may take next to nothing holds its sender back: the queue fills, drops are counted, and the
/// other lanes go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_fills_the_queue_and_drops_are_counted() {
    let (low, high) = (Recorder::new(), Recorder::new());
    let mut cluster = Cluster::new(2);
    cluster.configs[1].limits.lanes[Lane::Blocks.as_usize()].bytes_per_second_max = 1;
    let (sender, receiver) = pair(&mut cluster, [&low, &high]).await;
    let to = OperatorIndex(1);
    let block = Bytes::from(vec![1; 1 << 20]);
    let refused = (0..100).filter(|_| !sender.send(to, Lane::Blocks, block.clone())).count();
    assert!(refused > 0, "a hundred blocks are more than queue and window hold");
    let counts = *status(&sender, 1).lane(Lane::Blocks);
    assert_eq!(counts.send_dropped, refused as u64);
    assert!(counts.queued_frames > 0);
    for _ in 0..50 {
        assert!(sender.send(to, Lane::Votes, Bytes::from_static(b"vote")));
    }
    eventually("votes go on", || high.received(0, Lane::Votes).len() == 50).await;
    assert!(high.received(0, Lane::Blocks).len() <= 1, "one block is a debt of days");
    assert!(connected(&receiver, 0));
    assert_eq!(status(&receiver, 0).lane(Lane::Blocks).receive_dropped, 0, "held back, not dropped");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_without_room_are_counted() {
    let (low, high) = (Recorder::new(), Recorder::with(3, Box::new(|_, request| Some(request))));
    let (sender, receiver) = pair(&mut Cluster::new(2), [&low, &high]).await;
    for _ in 0..10 {
        assert!(sender.send(OperatorIndex(1), Lane::Votes, Bytes::from_static(b"vote")));
    }
    let counts = |mesh: &Mesh| *status(mesh, 0).lane(Lane::Votes);
    eventually("all ten were offered", || counts(&receiver).received_frames + counts(&receiver).receive_dropped == 10)
        .await;
    assert_eq!((counts(&receiver).received_frames, counts(&receiver).receive_dropped), (3, 7));
    assert_eq!(status(&receiver, 0).dropped(), 7);
}

/// Sending from threads that know nothing of tokio.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_thread_may_send() {
    let (low, high) = (Recorder::new(), Recorder::new());
    let (sender, _receiver) = pair(&mut Cluster::new(2), [&low, &high]).await;
    let sender = Arc::new(sender);
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let sender = Arc::clone(&sender);
            std::thread::spawn(move || {
                (0..100).all(|_| sender.send(OperatorIndex(1), Lane::Votes, Bytes::from_static(b"vote")))
            })
        })
        .collect();
    assert!(threads.into_iter().all(|thread| thread.join().unwrap()));
    eventually("all arrive", || high.count() == 400).await;
}
