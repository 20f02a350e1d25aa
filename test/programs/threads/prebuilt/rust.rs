//! What Rust's standard library has for threads. Usage: rust [rounds] [threads]
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{mpsc, Arc, Barrier, Condvar, Mutex, Once, OnceLock, RwLock};
use std::thread;
use std::time::Duration;

thread_local! {
    static OWN: Cell<u64> = const { Cell::new(17) };
}

static ENDED: AtomicUsize = AtomicUsize::new(0);

struct Noted;

impl Drop for Noted {
    fn drop(&mut self) {
        ENDED.fetch_add(1, Ordering::SeqCst);
    }
}

thread_local! {
    static NOTED: Noted = const { Noted };
}

fn scoped_sum(numbers: &[u64], depth: u32) -> u64 {
    if depth == 0 || numbers.len() < 16 {
        return numbers.iter().fold(0, |sum, n| sum.wrapping_add(*n));
    }
    let (left, right) = numbers.split_at(numbers.len() / 2);
    thread::scope(|scope| {
        let half = scope.spawn(|| scoped_sum(left, depth - 1));
        scoped_sum(right, depth - 1).wrapping_add(half.join().unwrap())
    })
}

fn channels(rounds: usize, threads: usize) {
    let (jobs, queue) = mpsc::sync_channel::<usize>(4);
    let (answers, results) = mpsc::channel::<u64>();
    let queue = Arc::new(Mutex::new(queue));
    let workers: Vec<_> = (0..threads)
        .map(|i| {
            let (queue, answers) = (Arc::clone(&queue), answers.clone());
            let builder = thread::Builder::new().name(format!("worker {i}"));
            builder
                .spawn(move || {
                    NOTED.with(|_| ());
                    assert_eq!(thread::current().name(), Some(format!("worker {i}").as_str()));
                    loop {
                        let job = queue.lock().unwrap().recv();
                        let Ok(job) = job else { return OWN.get() };
                        OWN.set(OWN.get() + 1);
                        answers.send((job as u64).pow(2)).unwrap();
                    }
                })
                .unwrap()
        })
        .collect();
    drop(answers);
    let sender = thread::spawn(move || (0..rounds).for_each(|job| jobs.send(job).unwrap()));
    let sum: u64 = results.iter().sum();
    sender.join().unwrap();
    let own: u64 = workers.into_iter().map(|worker| worker.join().unwrap()).sum();
    println!("channels: {sum}, {} jobs, {} ended", own - 17 * threads as u64, ENDED.load(Ordering::SeqCst));
}

fn locks(rounds: usize, threads: usize) {
    static ONCE: Once = Once::new();
    static CALLED: AtomicUsize = AtomicUsize::new(0);
    static CELL: OnceLock<String> = OnceLock::new();
    let both = Arc::new(RwLock::new((0u64, 0u64)));
    let turn = Arc::new((Mutex::new(0usize), Condvar::new()));
    let barrier = Arc::new(Barrier::new(threads));
    let leaders = Arc::new(AtomicUsize::new(0));
    let all: Vec<_> = (0..threads)
        .map(|number| {
            let (both, turn, barrier, leaders) = (both.clone(), turn.clone(), barrier.clone(), leaders.clone());
            thread::spawn(move || {
                ONCE.call_once(|| CALLED.store(CALLED.load(Ordering::SeqCst) + 1, Ordering::SeqCst));
                for round in 0..rounds {
                    if (round + number) % 4 == 0 {
                        let mut both = both.write().unwrap();
                        both.0 += 1;
                        both.1 += 1;
                    } else {
                        let both = both.read().unwrap();
                        assert_eq!(both.0, both.1);
                    }
                    let (mutex, condition) = &*turn;
                    let mut whose = condition.wait_while(mutex.lock().unwrap(), |turn| *turn % threads != number).unwrap();
                    *whose += 1;
                    condition.notify_all();
                    drop(whose);
                    if round % 10 == 0 && barrier.wait().is_leader() {
                        leaders.fetch_add(1, Ordering::SeqCst);
                    }
                    if round % 50 == 0 {
                        let never = Mutex::new(());
                        let (_guard, late) = Condvar::new()
                            .wait_timeout_while(never.lock().unwrap(), Duration::from_millis(2), |()| true)
                            .unwrap();
                        assert!(late.timed_out());
                        thread::park_timeout(Duration::from_micros(300));
                    }
                }
                CELL.get_or_init(|| "once".to_string()).len()
            })
        })
        .collect();
    let length: usize = all.into_iter().map(|thread| thread.join().unwrap()).sum();
    println!("locks: {:?}, turn {}, {length}", *both.read().unwrap(), turn.0.lock().unwrap());
    println!("barrier: {} leaders, once {}", leaders.load(Ordering::SeqCst), CALLED.load(Ordering::SeqCst));
}

fn parked() {
    let ready = Arc::new(AtomicUsize::new(0));
    let seen = ready.clone();
    let sleeper = thread::spawn(move || {
        while seen.load(Ordering::SeqCst) == 0 {
            thread::park();
        }
        OWN.get()
    });
    thread::sleep(Duration::from_millis(1));
    ready.store(1, Ordering::SeqCst);
    sleeper.thread().unpark();
    println!("parked: {}", sleeper.join().unwrap());
}

fn main() {
    let mut args = std::env::args().skip(1).map(|arg| arg.parse::<usize>().unwrap());
    let (rounds, threads) = (args.next().unwrap_or(100), args.next().unwrap_or(4));
    let numbers: Vec<u64> = (0..rounds as u64 * 100).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
    println!("scoped: {:016x}", scoped_sum(&numbers, 3));
    channels(rounds * 10, threads);
    locks(rounds, threads);
    parked();
}
