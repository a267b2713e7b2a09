//! Frames arrive: all of them, in order, votes first.

use super::{Cluster, Recorder, connected, eventually, pair, status};
use crate::net::{Lane, Limits};
use bytes::Bytes;
use phalanx_types::{OperatorIndex, PAYLOAD_BYTES_MAX};
use std::sync::atomic::Ordering;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_of_every_lane_arrive_in_order_at_everyone() {
    // As many as the shortest queue holds: on a busy machine all of them may wait before the first is written.
    let limits = Limits::default();
    let frames = Lane::ALL.map(|lane| u32::try_from(limits.lane(lane).queue_frames_max).unwrap());
    let frames = frames.into_iter().min().unwrap();
    let mut cluster = Cluster::new(4);
    let recorders: Vec<_> = (0..4).map(|_| Recorder::new()).collect();
    let mut meshes = Vec::new();
    for (index, recorder) in (0..4).zip(&recorders) {
        meshes.push(cluster.start(index, recorder).await);
    }
    eventually("all connected", || meshes.iter().all(|mesh| mesh.status().iter().all(|status| status.connected))).await;
    // Sizes on both sides of what is copied, up to a few datagrams.
    let frame = |lane: Lane, sequence: u32| {
        let bytes = if lane == Lane::Votes { 200 } else { 100 + 40 * sequence as usize };
        let mut frame = vec![0xab; bytes];
        frame[..4].copy_from_slice(&sequence.to_be_bytes());
        Bytes::from(frame)
    };
    for sequence in 0..frames {
        for lane in Lane::ALL {
            for mesh in &meshes {
                assert_eq!(mesh.broadcast(lane, &frame(lane, sequence)), 3);
            }
        }
    }
    let all = 3 * 3 * frames as usize;
    eventually("all frames", || recorders.iter().all(|recorder| recorder.count() == all)).await;
    for lane in Lane::ALL {
        let expected: Vec<_> = (0..frames).map(|sequence| frame(lane, sequence)).collect();
        let bytes: u64 = expected.iter().map(|frame| frame.len() as u64).sum();
        for (to, recorder) in recorders.iter().enumerate() {
            for from in (0..4).filter(|from| usize::from(*from) != to) {
                assert!(recorder.received(from, lane) == expected, "{lane} from {from} to {to}");
                let seen = status(&meshes[to], from);
                let counts = seen.lane(lane);
                assert_eq!((counts.received_frames, counts.received_bytes), (u64::from(frames), bytes));
                assert_eq!((counts.sent_frames, counts.sent_bytes), (u64::from(frames), bytes));
                assert!(seen.dropped() == 0 && seen.rtt.is_some() && seen.since.is_some());
            }
        }
    }
    for recorder in &recorders {
        assert_eq!((recorder.connects.load(Ordering::SeqCst), recorder.disconnects.load(Ordering::SeqCst)), (3, 0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_big_block_does_not_delay_votes() {
    let (low, high) = (Recorder::new(), Recorder::new());
    let (sender, _receiver) = pair(&mut Cluster::new(2), [&low, &high]).await;
    let block = Bytes::from(vec![1; PAYLOAD_BYTES_MAX]);
    let to = OperatorIndex(1);
    assert!(sender.send(to, Lane::Transactions, Bytes::from(vec![2; 1 << 20])));
    assert!(sender.send(to, Lane::Blocks, block.clone()));
    for sequence in 0_u8..100 {
        assert!(sender.send(to, Lane::Votes, Bytes::from(vec![sequence; 150])));
    }
    eventually("everything", || high.count() == 102).await;
    let frames = high.frames.lock().unwrap();
    let place = |lane: Lane| frames.iter().position(|found| found.1 == lane).unwrap();
    let last_vote = frames.iter().rposition(|found| found.1 == Lane::Votes).unwrap();
    assert!(last_vote < place(Lane::Blocks), "every vote overtakes the block that was sent before it");
    assert!(frames[place(Lane::Blocks)].2 == block);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_is_heard_at_once() {
    let (low, high) = (Recorder::new(), Recorder::new());
    let (stopping, staying) = pair(&mut Cluster::new(2), [&low, &high]).await;
    stopping.shutdown().await;
    let heard = tokio::time::Instant::now();
    eventually("the other end hears it", || high.disconnects.load(Ordering::SeqCst) == 1).await;
    assert!(heard.elapsed() < crate::net::transport::IDLE_TIMEOUT, "told, not timed out");
    assert!(!connected(&staying, 0) && !connected(&stopping, 1));
    assert!(!staying.send(OperatorIndex(0), Lane::Votes, Bytes::from_static(b"nobody")));
    assert_eq!(status(&staying, 0).lane(Lane::Votes).send_dropped, 1);
    assert!(!staying.send(OperatorIndex(9), Lane::Votes, Bytes::from_static(b"nobody")));
}
