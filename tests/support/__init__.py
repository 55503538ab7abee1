"""What tests share: servers, programs and stores to be tested against."""
