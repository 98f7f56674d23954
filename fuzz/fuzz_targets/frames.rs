//! Any bytes from a client: frames within the limit, calls or an error; a request that is understood survives the way back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidy_protocol::{Call, Hello, MAX_REQUEST, Message, decode, encode, read_frame};

fuzz_target!(|bytes: &[u8]| {
    let mut input = bytes;
    while let Ok(Some(body)) = read_frame(&mut input, MAX_REQUEST) {
        let _ = decode::<Hello>(&body);
        let _ = decode::<Message>(&body);
        check_call(&body);
    }
    // Most inputs get no length right: the first one is also taken as a body.
    check_call(bytes);
});

fn check_call(body: &[u8]) {
    let Ok(call) = decode::<Call>(body) else { return };
    let Ok(request) = call.request() else { return };
    let again = encode(&Call::new(call.id, &request).expect("a request becomes a call"))
        .and_then(|bytes| decode::<Call>(&bytes))
        .expect("a call we made is one we read");
    assert_eq!(again.request().expect("and understand"), request);
}
