use std::time::Duration;

use bytes::{Bytes, BytesMut};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
    task::JoinHandle,
    time::timeout,
};

use super::{Client, ClientConfig, ConnectError};
use crate::{
    errno::Errno,
    message::{Message, NODEID_ANY},
    rpc::{Disconnect, RpcError},
    wire::{Decoder, Frame},
};

/// The other end of the socket, played by the test.
struct Broker {
    socket: UnixStream,
    decoder: Decoder,
}

impl Broker {
    async fn request(&mut self) -> Message {
        loop {
            if let Some(frame) = self.decoder.next().unwrap() {
                let Frame::Message(request) = frame else { panic!("{frame:?}") };
                return request;
            }
            let read = self.socket.read_buf(self.decoder.fill()).await.unwrap();
            assert_ne!(read, 0, "the client closed the connection");
        }
    }

    async fn send(&mut self, message: Message) {
        let mut out = BytesMut::new();
        message.encode(&mut out).unwrap();
        self.socket.write_all(&out).await.unwrap();
    }

    async fn answer(&mut self, payload: &'static str) -> Message {
        let request = self.request().await;
        self.send(Message::response_to(&request, Some(payload.into()))).await;
        request
    }
}

async fn connected() -> (Client, Broker, JoinHandle<Disconnect>) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut broker = Broker { socket: theirs, decoder: Decoder::default() };
    broker.socket.write_all(&[0]).await.unwrap();
    let (client, connection) = Client::over(ours, ClientConfig { max_body: 1000 }).await.unwrap();
    (client, broker, tokio::spawn(connection))
}

#[tokio::test]
async fn an_rpc_answers_with_the_type_that_is_asked_for() {
    let (client, mut broker, _driver) = connected().await;
    let question = json!({"name": "size"});
    let (value, request) = tokio::join!(
        client.rpc::<Value>("attr.get", NODEID_ANY, &question),
        broker.answer(r#"{"value":"4"}"#),
    );
    assert_eq!(value.unwrap(), json!({"value": "4"}));
    assert_eq!(request.topic(), "attr.get");
    assert_eq!(request.payload.as_deref(), Some(br#"{"name":"size"}"#.as_slice()));

    let (wrong, request) = tokio::join!(client.rpc::<u32>("attr.get", 0, &()), broker.answer("{}"));
    assert!(matches!(wrong, Err(RpcError::Payload { .. })));
    assert_eq!(request.payload, None);
}

#[tokio::test]
async fn an_answer_in_single_bytes_is_put_together() {
    let (client, mut broker, _driver) = connected().await;
    let serve = async {
        let request = broker.request().await;
        let mut out = BytesMut::new();
        Message::response_to(&request, Some("[1]".into())).encode(&mut out).unwrap();
        for byte in out {
            broker.socket.write_all(&[byte]).await.unwrap();
            tokio::task::yield_now().await;
        }
    };
    let (answer, ()) = tokio::join!(client.rpc::<Vec<u8>>("a.b", 0, &()), serve);
    assert_eq!(answer.unwrap(), [1]);
}

#[tokio::test]
async fn a_dropped_rpc_does_not_disturb_the_next_one() {
    let (client, mut broker, _driver) = connected().await;
    let given_up = timeout(Duration::from_millis(1), client.rpc_bytes("slow.one", 0, &())).await;
    assert!(given_up.is_err());
    let serve = async {
        let slow = broker.request().await;
        let next = broker.request().await;
        broker.send(Message::response_to(&slow, Some("late".into()))).await;
        broker.send(Message::response_to(&next, Some("next".into()))).await;
    };
    let (answer, ()) = tokio::join!(client.rpc_bytes("next.one", 0, &()), serve);
    assert_eq!(answer.unwrap(), "next");
}

#[tokio::test]
async fn a_slow_reader_of_a_stream_gets_the_newest_response_and_then_the_error() {
    let (client, mut broker, _driver) = connected().await;
    let mut stream = client.stream("job-list.job-stats", 0, &json!({})).unwrap();
    let request = broker.request().await;
    for payload in ["1", "2", "3"] {
        broker.send(Message::response_to(&request, Some(payload.into()))).await;
    }
    broker.send(Message::error_to(&request, Errno::EPERM, None)).await;
    // Its own answer tells that all before it has been read.
    tokio::join!(client.rpc_bytes("x.y", 0, &()), broker.answer("")).0.unwrap();

    assert_eq!(stream.next().await.unwrap().unwrap(), "3");
    assert_eq!(stream.skipped(), 2);
    let error = stream.next().await.unwrap().unwrap_err();
    assert_eq!(error.errno(), Some(Errno::EPERM));
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn a_stream_can_keep_more_and_be_cancelled() {
    let (client, mut broker, _driver) = connected().await;
    let mut stream = client.stream_keeping("a.journal", 0, &json!({}), 8).unwrap();
    let request = broker.request().await;
    stream.cancel().unwrap();
    let cancel = broker.request().await;
    assert_eq!(cancel.topic(), "a.journal-cancel");
    broker.send(Message::response_to(&request, Some("1".into()))).await;
    broker.send(Message::response_to(&request, Some("2".into()))).await;
    broker.send(Message::error_to(&request, Errno::ENODATA, None)).await;
    assert_eq!(stream.next().await.unwrap().unwrap(), "1");
    assert_eq!(stream.next().await.unwrap().unwrap(), "2");
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn a_response_over_the_limit_fails_its_rpc_and_no_other() {
    let (client, mut broker, _driver) = connected().await;
    let serve = async {
        let request = broker.request().await;
        let payload = Bytes::from(vec![b'x'; 100_000]);
        broker.send(Message::response_to(&request, Some(payload))).await;
        broker.answer("fine").await;
    };
    let ask = async {
        let large = client.rpc_bytes("large.one", 0, &()).await;
        (large, client.rpc_bytes("small.one", 0, &()).await)
    };
    let ((large, small), ()) = tokio::join!(ask, serve);
    assert!(matches!(large, Err(RpcError::TooLarge { len, limit: 1000, .. }) if len > 100_000));
    assert_eq!(small.unwrap(), "fine");
}

#[tokio::test]
async fn events_come_to_who_subscribed_and_dropping_unsubscribes() {
    let (client, mut broker, _driver) = connected().await;
    let (events, request) = tokio::join!(client.subscribe("heartbeat"), broker.answer(""));
    let mut events = events.unwrap();
    assert_eq!(request.topic(), "event.subscribe");
    assert_eq!(request.payload.as_deref(), Some(br#"{"topic":"heartbeat"}"#.as_slice()));

    broker.send(Message::event("job-state", 1, None, None)).await;
    broker.send(Message::event("heartbeat.pulse", 2, None, None)).await;
    let event = events.next().await.unwrap().unwrap();
    assert_eq!((event.topic.as_str(), event.sequence), ("heartbeat.pulse", 2));

    drop(events);
    assert_eq!(broker.request().await.topic(), "event.unsubscribe");
}

#[tokio::test]
async fn when_the_broker_goes_everybody_is_told() {
    let (client, mut broker, driver) = connected().await;
    let mut stream = client.stream("a.b", 0, &()).unwrap();
    let (events, _) = tokio::join!(client.subscribe(""), async {
        broker.request().await;
        broker.answer("").await
    });
    drop(broker);
    assert!(matches!(driver.await.unwrap(), Disconnect::Closed));
    let gone = |error| matches!(error, RpcError::Disconnected(Disconnect::Closed));
    assert!(gone(stream.next().await.unwrap().unwrap_err()));
    assert!(gone(events.unwrap().next().await.unwrap().unwrap_err()));
    assert!(gone(client.rpc_bytes("a.b", 0, &()).await.unwrap_err()));
}

#[tokio::test]
async fn bytes_that_are_no_message_end_the_connection() {
    let (client, mut broker, driver) = connected().await;
    broker.socket.write_all(b"HTTP/1.1 400").await.unwrap();
    let why = driver.await.unwrap();
    assert!(matches!(why, Disconnect::Protocol(_)));
    assert!(client.rpc_bytes("a.b", 0, &()).await.is_err());
}

#[tokio::test]
async fn the_connection_ends_with_its_last_user() {
    let (client, _broker, driver) = connected().await;
    let stream = client.clone().stream("a.b", 0, &()).unwrap();
    drop(client);
    drop(stream);
    assert!(matches!(driver.await.unwrap(), Disconnect::Released));
}

#[tokio::test]
async fn a_stopped_driver_fails_what_waits_for_it() {
    let (client, _broker, driver) = connected().await;
    let mut stream = client.stream("a.b", 0, &()).unwrap();
    driver.abort();
    let error = stream.next().await.unwrap().unwrap_err();
    assert!(matches!(error, RpcError::Disconnected(Disconnect::Stopped)));
}

#[tokio::test]
async fn a_refused_guest_is_told_what_to_do() {
    let refused = handshake_of(&[1]).await.unwrap_err();
    assert!(matches!(refused, ConnectError::Refused { errno: Errno::EPERM }));
    assert!(!refused.is_transient());
    assert!(refused.to_string().contains("access.allow-guest-user"), "{refused}");

    let closed = handshake_of(&[]).await.unwrap_err();
    assert!(matches!(closed, ConnectError::NoHandshake));
    assert!(closed.is_transient());
}

async fn handshake_of(bytes: &[u8]) -> Result<(), ConnectError> {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    theirs.write_all(bytes).await.unwrap();
    drop(theirs);
    Client::over(ours, ClientConfig::default()).await.map(|_| ())
}

#[tokio::test]
async fn a_socket_that_is_not_there_can_come() {
    let directory = tempfile::tempdir().unwrap();
    let endpoint = crate::Endpoint::local(directory.path().join("local")).unwrap();
    let missing = Client::connect(&endpoint, ClientConfig::default()).await.unwrap_err();
    assert!(missing.is_transient());
    assert!(missing.to_string().contains(endpoint.path().to_str().unwrap()));

    let listener = UnixListener::bind(endpoint.path()).unwrap();
    let accept = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        socket.write_all(&[0]).await.unwrap();
    };
    let (connected, ()) = tokio::join!(Client::connect(&endpoint, ClientConfig::default()), accept);
    let (_client, _connection) = connected.unwrap();
}
