//! Real sockets, no Python, and a main thread of ten lines: a guest, where the I/O thread drives, and
//! one that stands alone and drives itself.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use aiobpy_reactor::{
    Connection, Data, Door, End, Event, Interest, Listener, Query, Reactor, ReadAhead, ReadyQueue,
    Token, Watch,
};
use bytes::Bytes;
use rustix::fd::{AsFd, OwnedFd};

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let theirs = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (listener.accept().unwrap().0, theirs)
}

/// A main thread that takes events one at a time.
struct MainThread {
    reactor: Reactor,
    queue: Arc<ReadyQueue<Event>>,
    generation: std::collections::VecDeque<Event>,
    read_ahead: Arc<ReadAhead>,
    way: Way,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Guest,
    Alone,
}

const BOTH: [Way; 2] = [Way::Guest, Way::Alone];

impl MainThread {
    fn new(way: Way) -> Self {
        let queue = Arc::new(ReadyQueue::new().unwrap());
        let pushed = Arc::clone(&queue);
        let door: Door = Arc::new(move |events| pushed.arrive_all(events));
        let read_ahead = Arc::new(ReadAhead::default());
        let reactor = Reactor::start(door, Arc::clone(&read_ahead)).unwrap();
        if way == Way::Alone {
            reactor.take_over();
        }
        Self { reactor, queue, generation: std::collections::VecDeque::new(), read_ahead, way }
    }

    fn next_event(&mut self) -> Event {
        while self.generation.is_empty() {
            match self.way {
                Way::Guest => self.queue.park(None),
                Way::Alone => self.queue.park_in_poll(&self.reactor, None),
            };
            self.queue.take_arrived(&mut self.generation);
        }
        self.generation.pop_front().unwrap()
    }

    fn connection(&self) -> (Connection, TcpStream) {
        let (ours, theirs) = pair();
        ours.set_nonblocking(true).unwrap();
        let token = self.reactor.new_token();
        (Connection::adopt(&self.reactor, token, ours.into()).unwrap(), theirs)
    }

    /// Everything that comes in until the end.
    fn read_to_end(&mut self, connection: &Connection) -> Vec<u8> {
        let mut received = Vec::new();
        loop {
            assert!(
                matches!(self.next_event(), Event::Received(token) if token == connection.token())
            );
            loop {
                let mut buffer = vec![0; 1 << 16];
                let delivery = connection.take(&mut buffer);
                match delivery.data {
                    Data::Pieces(pieces) => received.extend(pieces.concat()),
                    Data::InBuffer(count) => received.extend(&buffer[..count]),
                }
                match delivery.end {
                    Some(End::Eof) => return received,
                    Some(End::Failed(error)) => panic!("{error}"),
                    None if delivery.more => {}
                    None => break,
                }
            }
        }
    }
}

#[test]
fn what_a_peer_sends_arrives_in_order_and_then_its_end() {
    for way in BOTH {
        let mut main_thread = MainThread::new(way);
        let (connection, mut theirs) = main_thread.connection();
        connection.start_reading();
        let sent: Vec<u8> = (0..3_000_000_u32).map(|number| number.to_le_bytes()[1]).collect();
        let expected = sent.clone();
        let sender =
            std::thread::Builder::new().spawn(move || theirs.write_all(&sent).unwrap()).unwrap();
        assert_eq!(main_thread.read_to_end(&connection), expected);
        sender.join().unwrap();
        assert_eq!(main_thread.read_ahead.held(), 0);
    }
}

#[test]
fn a_write_that_the_kernel_does_not_take_is_finished_by_the_io_thread() {
    for way in BOTH {
        let mut main_thread = MainThread::new(way);
        let (connection, mut theirs) = main_thread.connection();
        let sent = vec![7; 20 << 20];
        let written = connection.write(&sent, |start| copy(&sent, start)).unwrap();
        assert!(written.at_once < sent.len());
        assert_eq!(written.at_once + written.unsent, sent.len());
        assert!(connection.tell_below(1024));
        connection.flush(true);
        let reader = std::thread::Builder::new()
            .spawn(move || {
                let mut received = Vec::new();
                theirs.read_to_end(&mut received).unwrap();
                received
            })
            .unwrap();
        assert!(matches!(main_thread.next_event(), Event::Drained(_)));
        assert!(matches!(main_thread.next_event(), Event::Flushed(_)));
        assert_eq!(reader.join().unwrap(), sent);
        assert_eq!(connection.unsent(), 0);
    }
}

#[test]
fn a_reset_is_told_to_who_writes() {
    for way in BOTH {
        let mut main_thread = MainThread::new(way);
        let (connection, theirs) = main_thread.connection();
        let data = vec![0; 20 << 20];
        connection.write(&data, |start| copy(&data, start)).unwrap();
        drop(theirs);
        loop {
            match main_thread.next_event() {
                Event::SendFailed(token, _) => {
                    assert_eq!(token, connection.token());
                    break;
                }
                Event::Drained(_) => {}
                event => panic!("{event:?}"),
            }
        }
    }
}

#[test]
fn connections_are_accepted_while_the_main_thread_does_something_else() {
    for way in BOTH {
        let mut main_thread = MainThread::new(way);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        let token = main_thread.reactor.new_token();
        let serving =
            Listener::start(&main_thread.reactor, token, OwnedFd::from(listener)).unwrap();
        let peers: Vec<_> = (0..10).map(|_| TcpStream::connect(address).unwrap()).collect();
        let mut accepted = Vec::new();
        while accepted.len() < peers.len() {
            assert!(matches!(main_thread.next_event(), Event::Accepted(from) if from == token));
            loop {
                let burst = serving.take(4);
                assert!(burst.results.len() <= 4);
                accepted.extend(burst.results.into_iter().map(Result::unwrap));
                if !burst.more {
                    break;
                }
            }
        }
        drop(serving);
        assert!(
            TcpStream::connect(address).is_err(),
            "a listener that was dropped listens no more"
        );
    }
}

#[test]
fn a_watched_descriptor_is_told_of_once_until_it_is_watched_again() {
    for way in BOTH {
        let mut main_thread = MainThread::new(way);
        let mut watch = Watch::new(&main_thread.reactor);
        let (ours, mut theirs) = pair();
        let readable = Interest { readable: true, writable: false };
        let (first, second) = (Token(101), Token(102));
        watch.arm(ours.as_fd(), first, readable).unwrap();
        theirs.write_all(b"x").unwrap();
        assert!(matches!(
            main_thread.next_event(),
            Event::Ready { token, readable: true, writable: false } if token == first
        ));
        // Nothing was read: watched again, it is ready again.
        watch.arm(ours.as_fd(), second, readable).unwrap();
        assert!(matches!(main_thread.next_event(), Event::Ready { token, .. } if token == second));
    }
}

#[cfg(unix)]
#[test]
fn a_regular_file_cannot_be_watched() {
    let main_thread = MainThread::new(Way::Guest);
    let mut watch = Watch::new(&main_thread.reactor);
    let file = std::fs::File::open("/proc/self/exe").unwrap();
    let readable = Interest { readable: true, writable: false };
    let error = watch.arm(file.as_fd(), Token(1), readable).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(1), "EPERM");
}

#[test]
fn a_number_needs_no_name_server_and_a_bad_name_gets_a_clear_answer() {
    for way in BOTH {
        let mut main_thread = MainThread::new(way);
        let query = Query { host: Some("127.0.0.1".to_owned()), ..Query::default() };
        main_thread.reactor.look_up(Token(1), query);
        let Event::Resolved(Token(1), Ok(answers)) = main_thread.next_event() else { panic!() };
        assert!(answers.iter().all(|answer| answer.address.ip().is_loopback()));
        let query = Query { host: Some("no-such-host.invalid".to_owned()), ..Query::default() };
        main_thread.reactor.look_up(Token(2), query);
        let Event::Resolved(Token(2), Err(failed)) = main_thread.next_event() else { panic!() };
        assert!(failed.code != 0 && !failed.message.is_empty());
    }
}

fn copy(data: &[u8], start: usize) -> Bytes {
    Bytes::copy_from_slice(&data[start..])
}
