// SPDX-License-Identifier: Apache-2.0
//! aws-smithy-eventstream, the decoder of the AWS SDK for Rust, as its receiver drives it;
//! tests/bench/decoder.py says how it is spoken to.

use aws_smithy_eventstream::frame::{DecodedFrame, MessageFrameDecoder};
use bytes::Bytes;
use bytes_utils::SegmentedBuf;
use std::io::{stdin, BufRead};
use std::time::Instant;

fn pass(answer: &Bytes, chunk: usize) -> (usize, usize, usize) {
    let mut decoder = MessageFrameDecoder::new();
    let mut buffer: SegmentedBuf<Bytes> = SegmentedBuf::new();
    let (mut frames, mut headers, mut payload) = (0, 0, 0);
    for at in (0..answer.len()).step_by(chunk) {
        buffer.push(answer.slice(at..answer.len().min(at + chunk)));
        while let DecodedFrame::Complete(message) = decoder.decode_frame(&mut buffer).unwrap() {
            frames += 1;
            headers += message.headers().len();
            payload += message.payload().len();
        }
    }
    (frames, headers, payload)
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let answer = Bytes::from(std::fs::read(&arguments[1]).unwrap());
    let chunk: usize = arguments[2].parse().unwrap();
    for line in stdin().lock().lines() {
        let passes: u32 = line.unwrap().parse().unwrap();
        let mut found = (0, 0, 0);
        let mut ns = u128::MAX;
        for _ in 0..passes {
            let before = Instant::now();
            found = pass(&answer, chunk);
            ns = ns.min(before.elapsed().as_nanos());
        }
        println!("{} {} {} - {}", found.0, found.1, found.2, ns);
    }
}
