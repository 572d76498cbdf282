use bytes::{Bytes, BytesMut};

use super::{Call, Delivery, MAX_OUTSTANDING, MAX_QUARANTINED, RpcError, Session};
use crate::{
    errno::Errno,
    message::{Flags, Message},
    wire::{Decoder, Frame},
};

/// A session and the requests that it sent.
#[derive(Default)]
struct Bench {
    session: Session,
    out: BytesMut,
}

impl Bench {
    fn start(&mut self, topic: &str, streaming: bool) -> Message {
        let call = Call { topic, nodeid: 0, payload: None, streaming };
        let matchtag = self.session.start(call, &mut self.out).unwrap();
        let request = self.sent();
        assert_eq!(request.matchtag(), matchtag);
        request
    }

    fn sent(&mut self) -> Message {
        let mut decoder = Decoder::default();
        decoder.push(&self.out.split());
        let Some(Frame::Message(request)) = decoder.next().unwrap() else { panic!("not sent") };
        request
    }

    /// What a response comes out as: payload, `TEXT` of an error, `end`; `!` where it was the last.
    fn receive(&mut self, message: Message) -> Option<String> {
        self.session.handle(Frame::Message(message)).map(|delivery| match delivery {
            Delivery::Response { result, last, .. } => {
                let text = match result {
                    Ok(payload) => String::from_utf8(payload.to_vec()).unwrap(),
                    Err(error) => error.to_string(),
                };
                format!("{text}{}", if last { "!" } else { "" })
            }
            Delivery::End { .. } => "end".to_owned(),
            Delivery::Event { event, subscriptions } => {
                format!("{} {subscriptions:?}", event.topic)
            }
        })
    }
}

fn ok(request: &Message, payload: &'static str) -> Message {
    Message::response_to(request, Some(payload.into()))
}

fn failed(request: &Message, errno: Errno) -> Message {
    Message::error_to(request, errno, None)
}

#[test]
fn responses_reach_their_rpc_in_any_order_and_once() {
    let mut bench = Bench::default();
    let first = bench.start("a.b", false);
    let second = bench.start("c.d", false);
    assert_eq!(bench.receive(ok(&second, "2")).as_deref(), Some("2!"));
    assert_eq!(bench.receive(ok(&first, "1")).as_deref(), Some("1!"));
    assert_eq!(bench.receive(ok(&first, "1")), None);
    assert_eq!(bench.session.outstanding(), 0);
}

#[test]
fn a_failure_carries_the_words_of_the_service() {
    let mut bench = Bench::default();
    let request = bench.start("a.b", false);
    let response = Message::error_to(&request, Errno::ENOSYS, Some("No service"));
    let text = "a.b failed with ENOSYS (38): No service!";
    assert_eq!(bench.receive(response).as_deref(), Some(text));
}

#[test]
fn a_stream_goes_on_until_an_error_and_enodata_is_its_normal_end() {
    let mut bench = Bench::default();
    let stream = bench.start("a.b", true);
    assert_eq!(bench.receive(ok(&stream, "1")).as_deref(), Some("1"));
    assert_eq!(bench.receive(ok(&stream, "2")).as_deref(), Some("2"));
    assert_eq!(bench.receive(failed(&stream, Errno::ENODATA)).as_deref(), Some("end"));
    assert_eq!(bench.receive(ok(&stream, "3")), None);

    let stream = bench.start("a.b", true);
    let text = "a.b failed with EPERM (1)!";
    assert_eq!(bench.receive(failed(&stream, Errno::EPERM)).as_deref(), Some(text));

    let single = bench.start("a.b", false);
    let text = "a.b failed with ENODATA (61)!";
    assert_eq!(bench.receive(failed(&single, Errno::ENODATA)).as_deref(), Some(text));
}

#[test]
fn a_response_without_the_streaming_bit_ends_a_stream() {
    let mut bench = Bench::default();
    let stream = bench.start("a.b", true);
    let mut response = ok(&stream, "1");
    response.flags = Flags::from_bits(response.flags.bits() & !Flags::STREAMING.bits());
    assert_eq!(bench.receive(response).as_deref(), Some("1!"));
    assert_eq!(bench.session.outstanding(), 0);
}

#[test]
fn a_cancelled_stream_ends_with_either_errno() {
    for errno in [Errno::ENODATA, Errno::ECANCELED] {
        let mut bench = Bench::default();
        let stream = bench.start("job-manager.events-journal", true);
        bench.session.cancel(stream.matchtag(), &mut bench.out).unwrap();
        let cancel = bench.sent();
        assert_eq!(cancel.topic(), "job-manager.events-journal-cancel");
        assert_eq!(cancel.payload.as_deref(), Some(br#"{"matchtag":1}"#.as_slice()));
        assert!(cancel.flags.contains(Flags::NORESPONSE));
        assert_eq!(cancel.matchtag(), 0);
        assert_eq!(bench.receive(ok(&stream, "late")).as_deref(), Some("late"));
        assert_eq!(bench.receive(failed(&stream, errno)).as_deref(), Some("end"));

        bench.session.cancel(stream.matchtag(), &mut bench.out).unwrap();
        assert!(bench.out.is_empty(), "a cancel of what is over is not sent");
    }
    let mut bench = Bench::default();
    let stream = bench.start("a.b", true);
    let text = "a.b failed with ECANCELED (125)!";
    assert_eq!(bench.receive(failed(&stream, Errno::ECANCELED)).as_deref(), Some(text));
}

#[test]
fn an_abandoned_tag_is_not_used_before_its_rpc_is_over() {
    let mut bench = Bench::default();
    let stream = bench.start("a.b", true);
    bench.session.abandon(stream.matchtag());
    assert_eq!(bench.receive(ok(&stream, "late")), None);
    assert_eq!(bench.session.quarantined(), 1);

    bench.session.newest_tag = u32::MAX;
    assert_eq!(bench.start("c.d", false).matchtag(), 2, "0 is no tag and 1 is in quarantine");

    assert_eq!(bench.receive(failed(&stream, Errno::ENODATA)), None);
    assert_eq!(bench.session.quarantined(), 0);
    bench.session.newest_tag = u32::MAX;
    assert_eq!(bench.start("e.f", false).matchtag(), 1);
    bench.session.newest_tag = 0;
    assert_eq!(bench.start("g.h", false).matchtag(), 3, "1 and 2 are in flight");
}

#[test]
fn rpcs_and_the_quarantine_are_bounded() {
    let mut bench = Bench::default();
    for _ in 0..MAX_OUTSTANDING {
        bench.start("a.b", false);
    }
    let call = Call { topic: "a.b", nodeid: 0, payload: None, streaming: false };
    let refused = bench.session.start(call, &mut bench.out);
    assert!(matches!(refused, Err(RpcError::Busy { .. })));
    assert!(bench.out.is_empty());

    for tag in 1..=u32::try_from(MAX_OUTSTANDING).unwrap() {
        bench.session.abandon(tag);
    }
    let request = bench.start("a.b", false);
    bench.session.abandon(request.matchtag());
    assert_eq!(bench.session.quarantined(), MAX_QUARANTINED);
}

#[test]
fn an_oversized_response_fails_its_rpc() {
    for (streaming, last) in [(false, true), (true, false)] {
        let mut bench = Bench::default();
        let request = bench.start("a.b", streaming);
        let mut bytes = BytesMut::new();
        let payload = Bytes::from(vec![b'x'; 500]);
        Message::response_to(&request, Some(payload)).encode(&mut bytes).unwrap();
        let mut decoder = Decoder::new(100);
        decoder.push(&bytes);
        let frame = decoder.next().unwrap().unwrap();
        let delivery = bench.session.handle(frame).unwrap();
        let Delivery::Response {
            result: Err(RpcError::TooLarge { len, limit, .. }), last: is, ..
        } = delivery
        else {
            panic!("{delivery:?}");
        };
        assert_eq!((len, limit, is), (bytes.len() - 8, 100, last));
    }
}

#[test]
fn events_go_to_the_subscriptions_whose_prefix_they_have() {
    let mut bench = Bench::default();
    let heartbeat = bench.session.subscribe("heartbeat").unwrap();
    let all = bench.session.subscribe("").unwrap();
    let event = |topic| Message::event(topic, 1, Some("uuid".into()), None);
    let both = format!("heartbeat.pulse [{heartbeat}, {all}]");
    assert_eq!(bench.receive(event("heartbeat.pulse")), Some(both));
    assert_eq!(bench.receive(event("job-state")), Some(format!("job-state [{all}]")));
    assert_eq!(bench.session.unsubscribe(all).as_deref(), Some(""));
    assert_eq!(bench.receive(event("job-state")), None);
}

#[test]
fn requests_from_a_broker_are_ignored() {
    let mut bench = Bench::default();
    bench.start("a.b", false);
    assert_eq!(bench.receive(Message::request("a.b", 0, 1, None)), None);
    assert!(bench.session.handle(Frame::Oversized { len: 9, limit: 1, proto: None }).is_none());
}

#[test]
fn nothing_more_is_queued_for_a_broker_that_does_not_read() {
    let mut session = Session::new();
    let mut out = BytesMut::zeroed(super::MAX_UNSENT);
    let call = Call { topic: "a.b", nodeid: 0, payload: None, streaming: false };
    assert!(matches!(session.start(call, &mut out), Err(RpcError::Busy { .. })));
    assert_eq!(out.len(), super::MAX_UNSENT);
}
