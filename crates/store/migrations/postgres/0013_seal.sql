-- Secrets lie sealed from now on, as text. A script cannot seal: what is not sealed yet is, by the program when it starts, and lies
-- here meanwhile as before, bytes in hexadecimal digits. (destination.url and destination_secret.secret are text already.)
alter table second_factor alter column secret type text using encode(secret, 'hex');
alter table signing_secret alter column secret type text using encode(secret, 'hex');
