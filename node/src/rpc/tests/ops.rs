//! The operations endpoints.

use crate::rpc::ops::{Health, serve};
use metrics_exporter_prometheus::PrometheusBuilder;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[derive(Default)]
struct Switch {
    ready: AtomicBool,
}

impl Health for Switch {
    fn live(&self) -> Result<(), String> {
        Ok(())
    }

    fn ready(&self) -> Result<(), String> {
        if self.ready.load(Ordering::SeqCst) { Ok(()) } else { Err("catching up".into()) }
    }
}

async fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn health_and_metrics_are_served_until_it_is_stopped() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    metrics::with_local_recorder(&recorder, || metrics::counter!("blocks_total").increment(3));
    let switch = Arc::new(Switch::default());
    let server = serve("127.0.0.1:0".parse().unwrap(), switch.clone(), handle).await.unwrap();
    let address = server.address();
    assert!(get(address, "/livez").await.starts_with("HTTP/1.1 200"));
    let unready = get(address, "/readyz").await;
    assert!(unready.starts_with("HTTP/1.1 503") && unready.ends_with("catching up\n"), "{unready}");
    switch.ready.store(true, Ordering::SeqCst);
    assert!(get(address, "/readyz").await.starts_with("HTTP/1.1 200"));
    let metrics = get(address, "/metrics").await;
    assert!(metrics.contains("blocks_total 3") && metrics.contains("text/plain; version=0.0.4"), "{metrics}");
    assert!(get(address, "/elsewhere").await.starts_with("HTTP/1.1 404"));
    server.stop().await;
    assert!(TcpStream::connect(address).await.is_err());
}
