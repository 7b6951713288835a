complete -c muxnc -l generate -d 'Write the manual page, or a shell\'s completion, to stdout' -r -f -a "man\t''
complete-bash\t''
complete-fish\t''
complete-powershell\t''
complete-zsh\t''"
complete -c muxnc -l name -d 'What you are called in a --chat' -r -f
complete -c muxnc -l welcome -d 'In a --chat, the first line that each newcomer reads, behind *' -r -f
complete -c muxnc -l history -d 'Give each newcomer the last LINES lines first' -r -f
complete -c muxnc -l wait-for -d 'Read nothing of stdin before N peers are here' -r -f
complete -c muxnc -l slow-peer -d 'What to do about a peer that does not keep up' -r -f -a "wait\t'Wait for it: nothing is lost (but see --stall-timeout)'
disconnect\t'Cut it off at once if others are faster: for live streams'"
complete -c muxnc -l stall-timeout -d 'Cut off a participant that holds the others up this long and takes nothing' -r -f
complete -c muxnc -l rate -d 'Read so many bytes in a second from each peer at most, as 500, 10k or 2M [default: no limit]' -r -f
complete -c muxnc -l web -d 'Let browsers join as well, at http://ADDRESS:PORT/' -r -f
complete -c muxnc -l web-origin -d 'With --web, another name that the page may be opened by, as that of a proxy' -r -f
complete -c muxnc -l bus -d 'Be one class with the other hubs that have this URL: nats://HOST[:PORT]/CLASS' -r -f
complete -c muxnc -l bus-name -d 'What this hub is called on the --bus [default: the name of this machine]' -r -f
complete -c muxnc -l bus-buffer -d 'Keep lines of so many bytes for the --bus while it is away, as 500k or 64M [default: 64M]' -r -f
complete -c muxnc -l bus-trustfile -d 'Believe the certificates in this PEM file, instead of the system\'s, of a tls:// server' -r -F
complete -c muxnc -l allow -d 'Let in only HOSTS: 192.0.2.7,198.51.100.0/24,2001:db8::/32,example.org' -r -f
complete -c muxnc -l allowfile -d 'Let in only the hosts in FILE: any number in a line; # begins a comment' -r -F
complete -c muxnc -l deny -d 'Refuse HOSTS' -r -f
complete -c muxnc -l denyfile -d 'Refuse the hosts in FILE' -r -F
complete -c muxnc -s m -l max-conns -d 'Let N peers in at most [default: as many as there are descriptors]' -r -f
complete -c muxnc -l max-per-host -d 'Let in N peers of one address at most' -r -f
complete -c muxnc -s p -l source-port -d 'The port to come from; with -l, the port to listen on' -r -f
complete -c muxnc -s s -l source -d 'The address to come from; with -l, the one to listen on' -r -f -a "(__fish_print_hostnames)"
complete -c muxnc -l proxy -d 'Connect through this proxy [default ports: 3128 for http, else 1080]' -r -f -a "(__fish_print_hostnames)"
complete -c muxnc -l proxy-type -d 'What the proxy speaks' -r -f -a "http\t'HTTP with its method CONNECT'
socks4\t'SOCKS 4 and 4A'
socks5\t'SOCKS 5'"
complete -c muxnc -l proxy-auth -d 'Who you are to the proxy, should it ask (or set NCAT_PROXY_AUTH)' -r -f
complete -c muxnc -l proxy-dns -d 'Who looks the destination\'s name up' -r -f -a "local\t'This machine'
remote\t'The proxy'
both\t'This machine, and the proxy if that fails'
none\t'Nobody: it must be an address'"
complete -c muxnc -l ssl-cert -d 'The certificate to show, a PEM file' -r -F
complete -c muxnc -l ssl-key -d 'The key of that certificate, a PEM file [default: the file of --ssl-cert]' -r -F
complete -c muxnc -l ssl-trustfile -d 'Believe the certificates in this PEM file and those signed by them, instead of the system\'s' -r -F
complete -c muxnc -l ssl-fingerprint -d 'Believe the certificate with this SHA-256, and no other' -r -f
complete -c muxnc -l ssl-servername -d 'The name that the certificate must have [default: the host]' -r -f
complete -c muxnc -l ssl-alpn -d 'Application protocols to agree on, the best first: as h2,http/1.1' -r -f
complete -c muxnc -s w -l wait -d 'Try to connect for this long, over all addresses [default: 10s]' -r -f
complete -c muxnc -s i -l idle-timeout -d 'End a connection over which nothing went for this long' -r -f
complete -c muxnc -s d -l delay -d 'Wait this long after each line sent; stdin is not read meanwhile' -r -f
complete -c muxnc -s q -d 'Leave this long after the end of stdin at the latest' -r -f
complete -c muxnc -s o -l output -d 'Write what is received and sent to FILE, as it is' -r -F
complete -c muxnc -s x -l hex-dump -d 'Write a hex dump of it to FILE, with time, direction and peer' -r -F
complete -c muxnc -l transcript -d 'Write who said what, came and went to FILE, line by line, after what is in it already' -r -F
complete -c muxnc -l events -d 'Write a line of JSON for each thing that happens to FILE, or to the descriptor N: json:fd:N' -r -f
complete -c muxnc -l collect -d 'Keep what each participant says in a file of its own in DIR, as DIR/0003-Ana.txt' -r -f
complete -c muxnc -l label -d 'Say who said it: `auto` from the second participant on' -r -f -a "auto\t''
always\t''
never\t''"
complete -c muxnc -l color -d 'Colour the labels: `auto` if stdout is a terminal and NO_COLOR is not set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c muxnc -s h -d 'Say the most important in ten lines'
complete -c muxnc -l help -d 'Say everything'
complete -c muxnc -s V -d 'Say which version this is'
complete -c muxnc -l version -d 'The same, with the commit it was built from and its features'
complete -c muxnc -s l -l listen -d 'Listen: be the hub, and serve everybody who connects'
complete -c muxnc -s k -l keep-open -d 'Serve on after the end of stdin, and do not end the peers\' streams'
complete -c muxnc -l once -d 'Serve one peer and end with it, as nc -l does'
complete -c muxnc -l broker -d 'Pass each peer\'s lines on to all the others'
complete -c muxnc -l chat -d 'Be a chat: --broker, and who said it before every line'
complete -c muxnc -l open-messages -d 'In a --chat, show you what participants say to one alone by /msg'
complete -c muxnc -l time -d 'Begin lines on your screen with the time, and in a --chat everybody\'s: [09:11:33]'
complete -c muxnc -l bus-at-most-once -d 'Lose lines on the --bus rather than keep them there'
complete -c muxnc -l bus-trust -d 'Let the operators of other hubs cut off and mute participants here'
complete -c muxnc -s 4 -d 'Use IPv4 only'
complete -c muxnc -s 6 -d 'Use IPv6 only'
complete -c muxnc -s U -l unixsock -d 'Use a Unix socket: a PATH in place of HOST and PORT'
complete -c muxnc -s u -l udp -d 'Use UDP: with -l, show what anybody sends, and send what is typed to those who were heard'
complete -c muxnc -s n -l nodns -d 'Look nothing up: addresses and ports are numbers'
complete -c muxnc -l ssl -l tls -d 'Encrypt with TLS, and verify whom we talk to'
complete -c muxnc -l ssl-verify -d 'Verify the other side: the default, but for a hub'
complete -c muxnc -s C -l crlf -d 'Send CRLF for each end of line'
complete -c muxnc -s t -l telnet -d 'Hide telnet\'s negotiation, and answer it: no to everything'
complete -c muxnc -s N -d 'End our side of the connection at the end of stdin: the default'
complete -c muxnc -l no-shutdown -d 'Keep our side open after the end of stdin'
complete -c muxnc -l send-only -d 'Only send: what comes in is thrown away, and the end of stdin is the end'
complete -c muxnc -l recv-only -d 'Only receive: stdin is not read'
complete -c muxnc -l sha256 -d 'Tell at the end the SHA-256 of what was sent and of what was received, as sha256sum makes it'
complete -c muxnc -s z -d 'Send and receive nothing: only see whether something listens there'
complete -c muxnc -l append-output -d 'Keep what is in the files of -o and -x already, too'
complete -c muxnc -l raw-output -d 'Let the bytes of others do to the terminal what they will'
complete -c muxnc -l no-edit -d 'Do not edit the line being typed: leave that to the terminal, as nc does'
complete -c muxnc -l no-commands -d 'Say what begins with / like anything else'
complete -c muxnc -s v -l verbose -d 'Say on stderr what happens; twice or three times: in detail'
complete -c muxnc -l explain -d 'Explain in plain words what happens on each connection, layer by layer, as it happens'
complete -c muxnc -l quiet -d 'Say only what went wrong'
