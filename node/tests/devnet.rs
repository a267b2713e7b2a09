//! The main job, end to end: four operators as real processes take real transactions, certify every block,
//! lose none when their leader is killed, and all come back after all were killed.

#[path = "harness/devnet.rs"]
mod harness;

use alloy_primitives::B256;
use harness::{Devnet, run, said};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// How long what takes a few blocks may take, on a busy machine.
const SOON: Duration = Duration::from_secs(15);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_operators_act_as_one() {
    let mut devnet = Devnet::start(&["--slots-per-term", "10", "--block-time", "100ms"]);
    assert_eq!(devnet.operators.len(), 4);
    let all = [0, 1, 2, 3];
    let mut accepted = transactions_reach_everyone(&devnet).await;
    certificates_verify(&devnet, &accepted).await;
    let leader = leader_is_killed(&devnet, &mut accepted).await;
    killed_one_votes_again(&mut devnet, leader).await;
    devnet.receipts(leader, &accepted, SOON).await;

    let before = devnet.finalized(&all).await;
    for index in all {
        devnet.operators[index].kill();
    }
    for index in all {
        devnet.restart(index);
    }
    devnet.reach(&all, before + 3, SOON * 2).await;
    devnet.receipts(0, &accepted, SOON).await;
    let (hash, raw) = devnet.transfer(0, devnet.nonce(0, 0).await);
    devnet.send(3, &raw).await.expect("accepted after the restart of all");
    devnet.receipts(1, &[hash], SOON).await;
    let height = devnet.finalized(&[2]).await;
    let verified = verify_range(&devnet, 2, 1, height);
    assert!(verified.status.success(), "the whole chain, across every crash: {}", said(&verified));

    let operators = devnet.operators.clone();
    let (status, summary) = devnet.stop();
    assert!(status.success(), "the devnet stops in order: {status}, {summary}");
    assert_eq!(summary["killed"], 0, "{summary}");
    assert!(operators.iter().all(|operator| operator.pid().is_none()), "nobody outlives the devnet");
}

/// Sends through every operator; every operator shows the same receipts.
async fn transactions_reach_everyone(devnet: &Devnet) -> Vec<B256> {
    let mut hashes = Vec::new();
    for nonce in 0..10 {
        for account in 0..4 {
            let (hash, raw) = devnet.transfer(account, nonce);
            let answer = devnet.send(account, &raw).await.expect("accepted");
            assert_eq!(answer, hash);
            hashes.push(hash);
        }
    }
    let receipts = devnet.receipts(0, &hashes, SOON).await;
    for operator in 1..4 {
        assert_eq!(devnet.receipts(operator, &hashes, SOON).await, receipts, "operator {operator}");
    }
    hashes
}

fn verify_range(devnet: &Devnet, operator: usize, from: u64, to: u64) -> std::process::Output {
    let cluster = devnet.cluster.display().to_string();
    let url = &devnet.operators[operator].url;
    run(&["verify", "--cluster", &cluster, "--rpc", url, "--from", &from.to_string(), "--to", &to.to_string()])
}

/// `phalanx verify` agrees with the chain and with a certificate by itself, and not with a forged one.
async fn certificates_verify(devnet: &Devnet, accepted: &[B256]) {
    let receipt = &devnet.receipts(0, &accepted[..1], SOON).await[0];
    let number = receipt["blockNumber"].as_str().expect("a number");
    let height = devnet.finalized(&[1]).await;
    let good = verify_range(devnet, 1, 1, height);
    assert!(good.status.success(), "{}", said(&good));
    let beyond = verify_range(devnet, 1, 1, height + 1_000_000);
    assert_eq!(beyond.status.code(), Some(1), "what is not there cannot be verified");

    let certificate: Value =
        devnet.operators[3].rpc.call("seq_getCertificate", &[json!(number)]).await.expect("a certificate");
    let path = devnet.directory.path().join("certificate.json");
    let cluster = devnet.cluster.display().to_string();
    let verdict = |value: &Value| {
        std::fs::write(&path, value.to_string()).expect("written");
        run(&["verify", "--cluster", &cluster, &path.display().to_string()])
    };
    let good = verdict(&certificate);
    assert!(good.status.success(), "{}", said(&good));
    let mut forged = certificate;
    let slot = forged["certificate"]["vote"]["position"]["slot"].as_u64().expect("a slot");
    forged["certificate"]["vote"]["position"]["slot"] = json!(slot + 1);
    let bad = verdict(&forged);
    assert_eq!(bad.status.code(), Some(1), "{}", said(&bad));
    assert!(said(&bad).contains("WRONG"), "{}", said(&bad));
    std::fs::remove_file(path).expect("removed");
}

/// Kills the leader while transactions come in at the others; the chain goes on and none is lost.
async fn leader_is_killed(devnet: &Devnet, accepted: &mut Vec<B256>) -> usize {
    let status = devnet.operators[0].status().await.expect("operator 0 answers");
    let leader = status.leader.as_usize();
    let others: Vec<usize> = (0..4).filter(|index| *index != leader).collect();
    let before = devnet.finalized(&others).await;
    devnet.operators[leader].kill();
    let killed = Instant::now();
    let died = devnet.expect_line("operatorDied", SOON);
    assert_eq!(died["operator"], leader);
    let mut fresh = Vec::new();
    for turn in 0..12_u64 {
        let account = 4 + usize::try_from(turn % 3).expect("small");
        let (hash, raw) = devnet.transfer(account, turn / 3);
        devnet.send(others[account % 3], &raw).await.expect("accepted without the leader");
        fresh.push(hash);
    }
    devnet.reach(&others, before + 5, SOON).await;
    let gap = killed.elapsed();
    devnet.receipts(others[0], &fresh, SOON).await;
    accepted.extend(fresh);
    devnet.receipts(others[1], accepted, SOON).await;
    println!("five blocks after the leader was killed: {gap:?}");
    leader
}

/// The killed operator is restarted by hand, catches up, and its votes are seen by another.
async fn killed_one_votes_again(devnet: &mut Devnet, index: usize) {
    let observer = (index + 1) % 4;
    devnet.restart(index);
    let restarted = Instant::now();
    let returned = devnet.expect_line("operatorReturned", SOON);
    assert_eq!(returned["operator"], index);
    let height = devnet.finalized(&[observer]).await;
    devnet.reach(&[index], height, SOON).await;
    let operator = &devnet.operators[observer];
    devnet
        .until("the restarted operator votes", SOON, || async {
            let status = operator.status().await?;
            let seen = &status.operators[index];
            let since = u128::from(seen.last_vote_seen_ms_ago?);
            (seen.connected && since < restarted.elapsed().as_millis()).then_some(())
        })
        .await;
    println!("votes again {:?} after its restart", restarted.elapsed());
}
