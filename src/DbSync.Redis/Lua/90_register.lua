local read_only = { 'no-writes' }
redis.register_function { function_name = 'dbsync_lock1_revision', callback = revision, flags = read_only }
redis.register_function { function_name = 'dbsync_lock1_missing', callback = missing, flags = read_only }
redis.register_function('dbsync_lock1_install', install)
redis.register_function('dbsync_lock1_open', open)
redis.register_function('dbsync_lock1_renew', renew)
redis.register_function('dbsync_lock1_close', close)
redis.register_function('dbsync_lock1_acquire', acquire)
redis.register_function('dbsync_lock1_release', release)
redis.register_function('dbsync_lock1_revoke', revoke)
redis.register_function('dbsync_lock1_downgrade', downgrade)
redis.register_function('dbsync_lock1_upgrade', upgrade)
redis.register_function('dbsync_lock1_status', status)
redis.register_function('dbsync_lock1_mine', mine)
redis.register_function { function_name = 'dbsync_lock1_waits', callback = waits, flags = read_only }
redis.register_function { function_name = 'dbsync_lock1_list', callback = list, flags = read_only }
